"""Relay written out in plain torch: attention over each level's shared pages and the request's own, merged."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import pairwise

import torch

from abaci.backend.kernels.common.batch import Attended, PagedBatch
from abaci.backend.kernels.common.reference import requests, scores, softmax_values
from abaci.backend.kernels.relay.groups import Groups


def merge(first: Attended, second: Attended) -> Attended:
    """Attention over two sets of keys as one; a set of which a query sees nothing (log-sum-exp -inf) counts nothing."""
    lse = torch.logaddexp(first.lse, second.lse)
    shift = torch.where(lse == -torch.inf, 0.0, lse)
    out = sum(part.out * torch.exp(part.lse - shift)[..., None] for part in (first, second))
    return Attended(torch.as_tensor(out), lse)


def relay_attention_reference(
    batch: PagedBatch, groups: Groups, scale: float, precision: torch.dtype = torch.float64
) -> Attended:
    """Causal attention in `precision`, shared keys read through the leaders' rows; rows of padding are 0 and -inf.

    RelayAttention, arXiv:2402.14808, section 3.2, with groups and levels.
    """
    out = torch.zeros_like(batch.q, dtype=precision)
    lse = torch.full(batch.q.shape[:2], -torch.inf, dtype=precision, device=batch.q.device)
    for request in requests(replace(batch, block_table=leaders_table(batch, groups)), precision):
        cuts = [0, *groups.ends[:, request.index].tolist(), request.k.shape[0]]
        is_causal = request.k_positions <= request.q_positions
        logits = scores(request.q, request.k, scale).masked_fill(~is_causal, -torch.inf)
        parts = [softmax_values(logits[..., begin:end], request.v[begin:end]) for begin, end in pairwise(cuts)]
        attended = reduce(merge, parts)
        out[request.rows], lse[request.rows] = attended.out, attended.lse
    return Attended(out, lse)


def leaders_table(batch: PagedBatch, groups: Groups) -> torch.Tensor:
    """[B, M]: the block table with the entries of shared pages as the groups' leaders have them."""
    table = batch.block_table
    starts = torch.arange(table.shape[1], device=table.device) * batch.page_size
    above = torch.zeros_like(groups.ends[0])
    for leaders, ends in zip(groups.leaders, groups.ends, strict=True):
        is_shared = (starts >= above[:, None]) & (starts < ends[:, None])
        table = torch.where(is_shared, batch.block_table[leaders], table)
        above = ends
    return table
