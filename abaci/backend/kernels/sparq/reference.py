"""SparQ attention written out in plain torch: what the kernels must give, and what CPU tensors get."""

from __future__ import annotations

import torch

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.reference import Request, requests, scores, softmax_values
from abaci.backend.kernels.sparq.policy import Sparq, SparqIndex


def best(values: torch.Tensor, count: int) -> torch.Tensor:
    """The places of the `count` highest along the last dimension; of equal ones the first."""
    return torch.argsort(values, dim=-1, descending=True, stable=True)[..., :count]


def estimate(q: torch.Tensor, k: torch.Tensor, components: int, scale: float) -> torch.Tensor:
    """[G, s]: scores estimated from a few components. `q` [G, D] and `k` [s, D] are of one key-value head."""
    at = best(q.abs().sum(0), components)
    # What the components hold of the whole; a head that has nothing there says nothing about the tokens.
    share = q[:, at].abs().sum(1) / q.abs().sum(1)
    estimates = q[:, at] @ k[:, at].T * scale / share.sqrt()[:, None]
    return torch.where(share[:, None] > 0, estimates, 0.0)


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, policy: Sparq, scale: float) -> torch.Tensor:
    """[G, D] of one key-value head: `q` [G, D], `k` and `v` [s, D]."""
    estimates = estimate(q, k, policy.components, scale)
    ranked = estimates.sum(0)
    ranked[-policy.local :] = torch.inf
    at = best(ranked, policy.keys)
    found = torch.softmax(estimates, 1)[:, at].sum(1, keepdim=True)
    return found * (torch.softmax(q @ k[at].T * scale, 1) @ v[at]) + (1 - found) * v.mean(0)


def attend_request(request: Request, policy: Sparq, scale: float, group: int) -> torch.Tensor:
    """[1, Hq, D] of one request with one query."""
    if request.k.shape[0] <= policy.dense_tokens:
        return softmax_values(scores(request.q, request.k, scale), request.v).out
    heads = [
        attend(request.q[0, first : first + group], request.k[:, first], request.v[:, first], policy, scale)
        for first in range(0, request.q.shape[1], group)
    ]
    return torch.cat(heads)[None]


def sparq_attention_reference(
    batch: PagedBatch, policy: Sparq, scale: float, precision: torch.dtype = torch.float64
) -> torch.Tensor:
    """[T, Hq, D] in `precision`; 0 for rows of padding and queries that see no key."""
    out = torch.zeros_like(batch.q, dtype=precision)
    for request in requests(batch, precision):
        out[request.rows] = attend_request(request, policy, scale, batch.group)
    return out


def append_tokens_reference(batch: PagedBatch, k: torch.Tensor, v: torch.Tensor, index: SparqIndex) -> None:
    """Write the new tokens' `k` and `v` [T, Hk, D] into the pages of `batch`, and what `index` holds of them."""
    starts, lens = batch.query_starts.tolist(), batch.seq_lens.tolist()
    size = batch.page_size
    for b, seq_len in enumerate(lens):
        new = min(starts[b + 1] - starts[b], seq_len)
        rows = slice(starts[b + 1] - new, starts[b + 1])
        positions = torch.arange(seq_len - new, seq_len, device=k.device)
        pages, slots = batch.block_table[b, positions // size].long(), positions % size
        batch.k_pages[pages, slots] = k[rows]
        batch.v_pages[pages, slots] = v[rows]
        if index.columns is not None:
            index.columns[pages, :, :, slots] = k[rows]
        filled = pages[slots == size - 1]
        index.v_sums[filled] = batch.v_pages[filled].sum(1, dtype=torch.float32)
