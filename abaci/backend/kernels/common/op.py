"""The operation `paged_attention`: dense causal attention over pages, with its log-sum-exp."""

from __future__ import annotations

import torch

from abaci.backend.kernels.common.batch import Attended, PagedBatch, allocate, check_vector
from abaci.backend.kernels.common.launching import (
    LOG2_E,
    Plan,
    allocate_parts,
    constants,
    gpu_of,
    merge_parts,
    operands,
    plan,
    strides,
    tensors,
)
from abaci.backend.kernels.common.reference import paged_attention_reference
from abaci.backend.kernels.common.tiling import count_blocks


def paged_attention(
    batch: PagedBatch,
    scale: float | None = None,
    kv_starts: torch.Tensor | None = None,
    out: torch.Tensor | None = None,
) -> Attended:
    """Each query attends over the tokens up to its own; those before `kv_starts` [B] int32 of its request are left out.

    `scale` multiplies the products of queries and keys; by default 1 / sqrt(D). `out` receives the result if given.

    Raises:
        ValueError: `kv_starts` or `out` do not fit the batch.
    """
    check_vector("kv_starts", kv_starts, batch.requests, torch.int32, batch.q.device)
    result = allocate(batch, out)
    scale = batch.head_size**-0.5 if scale is None else scale
    _paged_attention(*operands(batch), scale, kv_starts, result.out, result.lse)
    return result


@torch.library.custom_op("abaci::paged_attention", mutates_args=("out", "lse"))
def _paged_attention(
    q: torch.Tensor,
    k_pages: torch.Tensor,
    v_pages: torch.Tensor,
    block_table: torch.Tensor,
    seq_lens: torch.Tensor,
    query_starts: torch.Tensor,
    max_query_len: int,
    scale: float,
    kv_starts: torch.Tensor | None,
    out: torch.Tensor,
    lse: torch.Tensor,
) -> None:
    batch = PagedBatch(q, k_pages, v_pages, block_table, seq_lens, query_starts, max_query_len)
    if q.is_cuda:
        with torch.cuda.device_of(q):
            launch(batch, scale, kv_starts, Attended(out, lse), plan(batch, gpu_of(batch)))
    else:
        answer = paged_attention_reference(batch, scale, kv_starts, precision=torch.float32)
        out.copy_(answer.out)
        lse.copy_(answer.lse)


@_paged_attention.register_fake
def _(*operands: object) -> None:
    """Nothing is returned: the results lie in `out` and `lse`."""


def launch(batch: PagedBatch, scale: float, kv_starts: torch.Tensor | None, result: Attended, cut: Plan) -> None:
    """Run the kernel on the batch's device, or Triton's interpreter on the CPU."""
    from abaci.backend.kernels.common.kernel import paged_attention_kernel

    blocks, is_one_block = count_blocks(batch, cut.tiling.block_m)
    if blocks == 0:
        return
    parts = allocate_parts(batch, result, cut.splits)
    paged_attention_kernel[(blocks, batch.kv_heads, cut.splits)](
        *tensors(batch),
        kv_starts if kv_starts is not None else batch.seq_lens,
        parts.out,
        parts.lse,
        batch.requests,
        scale * LOG2_E,
        *strides(batch, parts),
        **constants(batch, cut, is_one_block),
        HAS_KV_STARTS=kv_starts is not None,
    )
    merge_parts(batch, parts, result)
