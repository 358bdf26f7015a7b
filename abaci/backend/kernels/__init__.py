"""Attention kernels over a paged KV cache. Importing needs neither Triton nor a GPU; each `op` module is one operation.

Each sub-package holds `reference.py` (plain torch, obviously right), `kernel.py` (Triton) and `op.py` (the operation:
checks, allocates, launches; CPU tensors take the reference). Shapes everywhere, with strides of any size and order:

    B requests, T query tokens of all requests, Hq query heads, Hk key-value heads, G = Hq / Hk, D head size,
    N pages, P tokens a page, M pages a block-table row
"""
