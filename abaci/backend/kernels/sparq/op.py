"""The operations `sparq_attention` and `append_tokens`: decode over few bytes, and the upkeep that it needs."""

from __future__ import annotations

import torch

from abaci.backend.kernels.common.batch import PagedBatch, allocate, shape
from abaci.backend.kernels.common.launching import gpu_of, operands
from abaci.backend.kernels.sparq.launching import SparqLaunch, append, plan_sparq
from abaci.backend.kernels.sparq.policy import Sparq, SparqIndex, check_index
from abaci.backend.kernels.sparq.reference import append_tokens_reference, sparq_attention_reference


def sparq_attention(
    batch: PagedBatch,
    policy: Sparq,
    index: SparqIndex,
    scale: float | None = None,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """[T, Hq, D]: the result of each request's one query over the tokens that `policy` chooses for it.

    `index` must be up to date with the pages of `batch`. `scale` multiplies the products of queries and keys; by
    default 1 / sqrt(D). `out` receives the result if given. Scratch is 4 bytes for every key-value head and token that
    the block table has room for, and little more.

    Raises:
        ValueError: a request may have more than one query, the policy wants more components than heads have, or `index`
            or `out` do not fit the batch.
    """
    if batch.max_query_len != 1:
        raise ValueError(f"sparq_attention takes one query a request, not max_query_len {batch.max_query_len}")
    if policy.components > batch.head_size:
        raise ValueError(f"{policy.components} components wanted, but heads have {batch.head_size}")
    check_index(batch, index)
    result = allocate(batch, out).out
    scale = batch.head_size**-0.5 if scale is None else scale
    rules = (policy.components, policy.keys, policy.local, policy.dense_tokens)
    _sparq_attention(*operands(batch), scale, *rules, index.v_sums, index.columns, result)
    return result


def append_tokens(batch: PagedBatch, k: torch.Tensor, v: torch.Tensor, index: SparqIndex) -> None:
    """Write the keys and values [T, Hk, D] of the batch's new tokens, those of its queries, where they belong.

    That is into the pages of `batch`, and into `index`. For prefill and decode alike; tokens that are written again,
    after a draft was refused say, replace what was there.

    Raises:
        ValueError: `k`, `v` or `index` do not fit the batch.
    """
    expected = (batch.tokens, batch.kv_heads, batch.head_size)
    for name, tensor in (("k", k), ("v", v)):
        if (shape(tensor), tensor.dtype, tensor.device) != (expected, batch.q.dtype, batch.q.device):
            found = f"{shape(tensor)} {tensor.dtype} on {tensor.device}"
            raise ValueError(f"{name} must be {expected} {batch.q.dtype} on {batch.q.device}, not {found}")
    check_index(batch, index)
    _append_tokens(*operands(batch), k, v, index.v_sums, index.columns)


@torch.library.custom_op("abaci::sparq_attention", mutates_args=("out",))
def _sparq_attention(
    q: torch.Tensor,
    k_pages: torch.Tensor,
    v_pages: torch.Tensor,
    block_table: torch.Tensor,
    seq_lens: torch.Tensor,
    query_starts: torch.Tensor,
    max_query_len: int,
    scale: float,
    components: int,
    keys: int,
    local: int,
    dense_tokens: int,
    v_sums: torch.Tensor,
    columns: torch.Tensor | None,
    out: torch.Tensor,
) -> None:
    batch = PagedBatch(q, k_pages, v_pages, block_table, seq_lens, query_starts, max_query_len)
    policy = Sparq(components, keys, local, dense_tokens)
    if q.is_cuda:
        with torch.cuda.device_of(q):
            cut = plan_sparq(batch, policy, gpu_of(batch))
            SparqLaunch(batch, policy, SparqIndex(v_sums, columns), scale, cut).run(out)
    else:
        out.copy_(sparq_attention_reference(batch, policy, scale, precision=torch.float32))


@_sparq_attention.register_fake
def _(*operands: object) -> None:
    """Nothing is returned: the result lies in `out`."""


@torch.library.custom_op("abaci::append_tokens", mutates_args=("k_pages", "v_pages", "v_sums", "columns"))
def _append_tokens(
    q: torch.Tensor,
    k_pages: torch.Tensor,
    v_pages: torch.Tensor,
    block_table: torch.Tensor,
    seq_lens: torch.Tensor,
    query_starts: torch.Tensor,
    max_query_len: int,
    k: torch.Tensor,
    v: torch.Tensor,
    v_sums: torch.Tensor,
    columns: torch.Tensor | None,
) -> None:
    batch = PagedBatch(q, k_pages, v_pages, block_table, seq_lens, query_starts, max_query_len)
    write = append if q.is_cuda else append_tokens_reference
    with torch.cuda.device_of(q):
        write(batch, k, v, SparqIndex(v_sums, columns))


@_append_tokens.register_fake
def _(*operands: object) -> None:
    """Nothing is returned: what is written lies in the pages and beside them."""
