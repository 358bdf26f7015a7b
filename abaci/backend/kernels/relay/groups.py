"""Who shares which pages, in plain torch: what the search on the device must find, and what CPU tensors get."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.relay.policy import RelayPolicy, token_bytes


@dataclass(frozen=True)
class Groups:
    """The requests that share pages, at each of L levels, the widest sharing first."""

    leaders: torch.Tensor
    """[L, B], int64: the first request of each one's group, itself where there is none"""
    ends: torch.Tensor
    """[L, B], int64: tokens read with the groups down to this level; never fewer than at the level above"""


def find_groups(batch: PagedBatch, policy: RelayPolicy) -> Groups:
    """Requests whose rows of the block table begin with the same pages; a group reads the longest run that all share.

    Only pages that every query of a request sees to their end are shared: the page being written is not.
    """
    own = torch.arange(batch.requests, device=batch.q.device)
    columns = torch.arange(batch.block_table.shape[1], device=own.device)
    query_lens = batch.query_starts.diff()
    seen = torch.where(query_lens > 0, batch.seq_lens - query_lens + 1, 0).clamp(min=0).long() // batch.page_size
    leader, end, saved = torch.zeros_like(own), torch.zeros_like(own), torch.zeros_like(own)
    leaders, ends = [], []
    for _ in range(policy.levels):
        same = _share_more(batch, policy, leader, end, seen)
        first = torch.where(same, own, len(own)).amin(1).clamp(max=len(own) - 1)
        differs = batch.block_table != batch.block_table[first]
        common = torch.where(differs, columns, len(columns)).amin(1).minimum(seen)
        is_group = same.sum(1) >= policy.min_requests
        leader = torch.where(is_group, first, own)
        above, end = end, torch.where(is_group, torch.where(same, common, len(columns)).amin(1), end)
        saved = saved + torch.where(leader == own, 0, end - above)
        leaders.append(leader)
        ends.append(end * batch.page_size)
    pays = saved.sum() * (batch.page_size * token_bytes(batch)) >= policy.min_saved_bytes
    return Groups(torch.where(pays, torch.stack(leaders), own), torch.where(pays, torch.stack(ends), 0))


def _share_more(
    batch: PagedBatch, policy: RelayPolicy, leader: torch.Tensor, end: torch.Tensor, seen: torch.Tensor
) -> torch.Tensor:
    """[B, B], bool: of one group down to page `end`, and with the same pages for `min_tokens` more.

    An equivalence among the requests that are long enough; the others are not even like themselves.
    """
    needed = -(-policy.min_tokens // batch.page_size)
    window = end[:, None] + torch.arange(needed, device=end.device)
    pages = batch.block_table.gather(1, window.clamp(max=batch.block_table.shape[1] - 1))
    is_long = seen - end >= needed
    is_one = (leader[:, None] == leader) & is_long[:, None] & is_long
    return is_one & (pages[:, None] == pages).all(-1)
