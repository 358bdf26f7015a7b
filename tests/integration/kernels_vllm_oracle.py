"""Run by `test_kernels_vllm`: compare with vLLM's `unified_attention`; prints the name of each comparison that held."""

from __future__ import annotations

import sys

import torch
import triton
import triton.language as tl
import vllm.triton_utils
from paged_cases import Case, make_batch

from abaci.backend.kernels.common import op as dense
from abaci.backend.kernels.common.batch import PagedBatch, allocate
from abaci.backend.kernels.common.launching import Plan
from abaci.backend.kernels.common.tiling import Tiling
from abaci.backend.kernels.sink import op as sink
from abaci.backend.kernels.sink.policy import SinkWindow

SCALE = 0.125
CUT = Plan(Tiling(16, 16, warps=4, stages=1), splits=2)


def vllms(batch: PagedBatch, **options: object) -> torch.Tensor:
    """What vLLM's kernel gives. Its CPU build has stubs for Triton, and binds them when its operations are imported."""
    vllm.triton_utils.triton, vllm.triton_utils.tl, vllm.triton_utils.HAS_TRITON = triton, tl, True
    from vllm.v1.attention.ops.triton_unified_attention import unified_attention

    out = torch.empty_like(batch.q)
    unified_attention(
        q=batch.q,
        k=batch.k_pages,
        v=batch.v_pages,
        out=out,
        cu_seqlens_q=batch.query_starts,
        max_seqlen_q=batch.max_query_len,
        seqused_k=batch.seq_lens,
        max_seqlen_k=int(batch.seq_lens.max()),
        softmax_scale=SCALE,
        causal=True,
        window_size=(-1, -1),
        block_table=batch.block_table,
        softcap=0,
        q_descale=None,
        k_descale=None,
        v_descale=None,
        **options,
    )
    return out


def compare(name: str, ours: torch.Tensor, theirs: torch.Tensor, batch: PagedBatch) -> None:
    """Say that the rows agree.

    Raises:
        AssertionError: they do not.
    """
    rows = int(batch.query_starts[-1])
    torch.testing.assert_close(ours[:rows], theirs[:rows], atol=2e-6, rtol=1e-5)
    sys.stdout.write(f"{name}\n")


def readable(batch: PagedBatch) -> PagedBatch:
    """The batch without NaN: vLLM's kernel multiplies what it does not count by 0."""
    for tensor in (batch.q, batch.k_pages, batch.v_pages):
        tensor.nan_to_num_(0.0)
    batch.block_table.masked_fill_(batch.block_table == 2**30, 0)
    return batch


def main() -> None:
    """All comparisons."""
    decode = readable(make_batch(Case(torch.float32, 4, 64, 16, [(1, 40), (1, 17)], kv_heads=2)))
    result = allocate(decode, None)
    dense.launch(decode, SCALE, None, result, CUT)
    compare("dense decode", result.out, vllms(decode), decode)

    prefill = readable(make_batch(Case(torch.float32, 7, 64, 16, [(6, 40), (3, 3)])))
    result = allocate(prefill, None)
    dense.launch(prefill, SCALE, None, result, CUT)
    compare("dense prefill", result.out, vllms(prefill), prefill)

    logits = torch.linspace(-1, 3, 7)
    sink.launch(prefill, SinkWindow(0, 64), SCALE, logits, result, CUT)
    compare("learned logits", result.out, vllms(prefill, sinks=logits), prefill)

    # vLLM's mask for a prompt that stays visible and a window over what was generated: the same at absolute positions.
    sink.launch(prefill, SinkWindow(4, 8), SCALE, None, result, CUT)
    prompts = torch.tensor([4, 4], dtype=torch.int32)
    compare("sinks and window", result.out, vllms(prefill, rswa_prefix_lens=prompts, rswa_window=8), prefill)


if __name__ == "__main__":
    main()
