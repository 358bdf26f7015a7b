"""Attention over pages written out in plain torch: what the kernel must give, and what CPU tensors get."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from abaci.backend.kernels.common.batch import Attended, PagedBatch


@dataclass(frozen=True)
class Request:
    """One request of a batch, its keys and values gathered; t queries, s keys."""

    index: int
    rows: slice
    """Its rows of the batch's queries"""
    q: torch.Tensor
    """[t, Hq, D]"""
    k: torch.Tensor
    """[s, Hq, D], each key-value head repeated for its G query heads"""
    v: torch.Tensor
    """[s, Hq, D], likewise"""
    q_positions: torch.Tensor
    """[t, 1]"""
    k_positions: torch.Tensor
    """[1, s]"""


def requests(batch: PagedBatch, precision: torch.dtype) -> Iterator[Request]:
    """Each request that has queries, its tensors converted to `precision`."""
    starts, lens = batch.query_starts.tolist(), batch.seq_lens.tolist()
    for b, seq_len in enumerate(lens):
        rows = slice(starts[b], starts[b + 1])
        if rows.start == rows.stop:
            continue
        positions = torch.arange(seq_len, device=batch.q.device)
        # The entries of pages that nobody attends may be anything.
        pages = batch.block_table[b, positions // batch.page_size].long().clamp(0, batch.k_pages.shape[0] - 1)
        k, v = (
            cache[pages, positions % batch.page_size].to(precision).repeat_interleave(batch.group, dim=1)
            for cache in (batch.k_pages, batch.v_pages)
        )
        queries = torch.arange(seq_len - (rows.stop - rows.start), seq_len, device=batch.q.device)
        yield Request(b, rows, batch.q[rows].to(precision), k, v, queries[:, None], positions[None])


def scores(q: torch.Tensor, k: torch.Tensor, scale: float) -> torch.Tensor:
    """[Hq, t, s]: `scale` times each query's products with its head's keys."""
    return torch.einsum("thd,shd->hts", q, k) * scale


def softmax_values(logits: torch.Tensor, v: torch.Tensor, sink: torch.Tensor | None = None) -> Attended:
    """The values [s, Hq, D] weighted by the softmax of `logits` [Hq, t, s], -inf where a query sees no key.

    `sink` [Hq] is a logit a head that takes its share of the softmax and gives no value.
    """
    lse = torch.logsumexp(logits, dim=-1)
    if sink is not None:
        lse = torch.logaddexp(lse, sink.to(lse.dtype)[:, None])
    weights = torch.exp(logits - torch.where(lse == -torch.inf, 0.0, lse)[..., None])
    # A key that nobody sees has weight 0, but its value may be whatever lay in memory.
    seen = torch.where((logits > -torch.inf).any(1).T[..., None], v, 0.0)
    return Attended(torch.einsum("hts,shd->thd", weights, seen), lse.T)


def paged_attention_reference(
    batch: PagedBatch, scale: float, kv_starts: torch.Tensor | None = None, precision: torch.dtype = torch.float64
) -> Attended:
    """Causal attention in `precision`, over the tokens of each request from `kv_starts` (default: the first) on.

    Rows of padding are 0 and -inf.
    """
    out = torch.zeros_like(batch.q, dtype=precision)
    lse = torch.full(batch.q.shape[:2], -torch.inf, dtype=precision, device=batch.q.device)
    for request in requests(batch, precision):
        start = 0 if kv_starts is None else kv_starts[request.index]
        visible = (request.k_positions <= request.q_positions) & (request.k_positions >= start)
        logits = scores(request.q, request.k, scale).masked_fill(~visible, -torch.inf)
        attended = softmax_values(logits, request.v)
        out[request.rows], lse[request.rows] = attended.out, attended.lse
    return Attended(out, lse)
