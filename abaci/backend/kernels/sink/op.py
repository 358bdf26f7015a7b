"""The operation `sink_attention`: attention over pages that sees sinks and a rolling window."""

from __future__ import annotations

import torch

from abaci.backend.kernels.common.batch import DTYPES, Attended, PagedBatch, allocate, check_vector
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
from abaci.backend.kernels.common.tables.row import Kernel
from abaci.backend.kernels.common.tiling import count_blocks
from abaci.backend.kernels.sink.policy import Rotary, SinkWindow
from abaci.backend.kernels.sink.reference import sink_attention_reference


def sink_attention(
    batch: PagedBatch,
    policy: SinkWindow,
    scale: float | None = None,
    sink_logits: torch.Tensor | None = None,
    out: torch.Tensor | None = None,
) -> Attended:
    """Each query attends over the tokens that `policy` leaves visible; prefill and decode see the same.

    Entries of the block table for pages that no query sees may hold anything: the pages may have been freed.
    `scale` multiplies the products of queries and keys; by default 1 / sqrt(D). `sink_logits` [Hq] are learned
    logits that take their share of each head's softmax without a value, and count in the log-sum-exp (as in gpt-oss):
    bfloat16, float16 or float32, whatever the type of the queries. `out` receives the result if given.

    Raises:
        ValueError: the rotary embedding, `sink_logits` or `out` do not fit the batch.
    """
    check_logits(batch, sink_logits)
    rotary = policy.rotary if policy.positions == "cache" else None
    if rotary is not None:
        check_vector("inv_freq", rotary.inv_freq, rotary.inv_freq.numel(), torch.float32, batch.q.device)
        if 2 * rotary.inv_freq.numel() > batch.head_size:
            pairs = rotary.inv_freq.numel()
            raise ValueError(f"inv_freq [{pairs}] rotates {2 * pairs} elements, but heads have {batch.head_size}")
    result = allocate(batch, out)
    scale = batch.head_size**-0.5 if scale is None else scale
    inv_freq, is_neox = (rotary.inv_freq, rotary.is_neox) if rotary is not None else (None, True)
    rules = (policy.n_sinks, policy.window, inv_freq, is_neox)
    _sink_attention(*operands(batch), scale, *rules, sink_logits, result.out, result.lse)
    return result


def check_logits(batch: PagedBatch, logits: torch.Tensor | None) -> None:
    """Nothing, if there are no learned logits or one for each query head, of a type that models keep them in.

    Raises:
        ValueError: there are, and they do not fit.
    """
    if logits is None:
        return
    if logits.dtype not in DTYPES:
        raise ValueError(f"sink_logits must be of bfloat16, float16 or float32, not {logits.dtype}")
    check_vector("sink_logits", logits, batch.q_heads, logits.dtype, batch.q.device)


@torch.library.custom_op("abaci::sink_attention", mutates_args=("out", "lse"))
def _sink_attention(
    q: torch.Tensor,
    k_pages: torch.Tensor,
    v_pages: torch.Tensor,
    block_table: torch.Tensor,
    seq_lens: torch.Tensor,
    query_starts: torch.Tensor,
    max_query_len: int,
    scale: float,
    n_sinks: int,
    window: int,
    inv_freq: torch.Tensor | None,
    is_neox: bool,
    sink_logits: torch.Tensor | None,
    out: torch.Tensor,
    lse: torch.Tensor,
) -> None:
    batch = PagedBatch(q, k_pages, v_pages, block_table, seq_lens, query_starts, max_query_len)
    rotary = None if inv_freq is None else Rotary(inv_freq, is_neox)
    policy = SinkWindow(n_sinks, window, "absolute" if rotary is None else "cache", rotary)
    if q.is_cuda:
        with torch.cuda.device_of(q):
            cut = plan(batch, gpu_of(batch), policy.size + max_query_len, kernel_of(policy))
            launch(batch, policy, scale, sink_logits, Attended(out, lse), cut)
    else:
        answer = sink_attention_reference(batch, policy, scale, sink_logits, precision=torch.float32)
        out.copy_(answer.out)
        lse.copy_(answer.lse)


@_sink_attention.register_fake
def _(*operands: object) -> None:
    """Nothing is returned: the results lie in `out` and `lse`."""


def kernel_of(policy: SinkWindow) -> Kernel:
    """By which name the tables have the kernel."""
    return "turned" if policy.positions == "cache" else "sinks"


def launch(
    batch: PagedBatch,
    policy: SinkWindow,
    scale: float,
    sink_logits: torch.Tensor | None,
    result: Attended,
    cut: Plan,
) -> None:
    """Run the kernel on the batch's device, or Triton's interpreter on the CPU."""
    from abaci.backend.kernels.sink.kernel import sink_attention_kernel

    blocks, is_one_block = count_blocks(batch, cut.tiling.block_m)
    if blocks == 0:
        return
    parts = allocate_parts(batch, result, cut.splits)
    rotary = policy.rotary if policy.positions == "cache" else None
    # A kernel's pointer must point somewhere: what is absent is never read.
    sink_attention_kernel[(blocks, batch.kv_heads, cut.splits)](
        *tensors(batch),
        rotary.inv_freq if rotary is not None else result.lse,
        sink_logits if sink_logits is not None else result.lse,
        parts.out,
        parts.lse,
        batch.requests,
        scale * LOG2_E,
        policy.n_sinks,
        policy.window,
        *strides(batch, parts),
        **constants(batch, cut, is_one_block),
        R=rotary.inv_freq.numel() if rotary is not None else 0,
        IS_NEOX=rotary is None or rotary.is_neox,
        HAS_LOGITS=sink_logits is not None,
    )
    merge_parts(batch, parts, result)
