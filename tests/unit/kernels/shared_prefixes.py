"""Batches whose requests share pages, and what is shared among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from paged_cases import Case, make_batch

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.tiling import Tiling
from abaci.backend.kernels.relay.groups import find_groups
from abaci.backend.kernels.relay.op import Sharing, start_sharing
from abaci.backend.kernels.relay.policy import RelayPolicy
from abaci.backend.kernels.relay.work import Cut, Work, count_items, count_partials, cut_work

EAGER = RelayPolicy(levels=2, min_requests=2, min_tokens=1, min_saved_bytes=0)
"""Whoever shares a page is a group."""


@dataclass(frozen=True)
class Shared:
    """`pages` first pages of the requests `followers` are those of request `leader`."""

    leader: int
    followers: Sequence[int]
    pages: int

    def __str__(self) -> str:
        return f"{self.pages}x{len(self.followers) + 1}"


def make_shared(case: Case, shared: Sequence[Shared]) -> PagedBatch:
    """The case's batch, sharing pages; the pages that nobody has any more are all NaN."""
    batch = make_batch(case)
    table = batch.block_table.clone()
    for each in shared:
        table[list(each.followers), : each.pages] = table[each.leader, : each.pages]
    lost = torch.tensor(sorted(set(batch.block_table.flatten().tolist()) - set(table.flatten().tolist())))
    k, v = batch.k_pages.clone(), batch.v_pages.clone()
    if len(lost):
        k[lost], v[lost] = torch.nan, torch.nan
    return replace(batch, block_table=table, k_pages=k, v_pages=v)


def make_cut(block_m: int, tile: int, programs: int) -> Cut:
    return Cut(Tiling(block_m, tile, warps=4, stages=1), programs)


def make_sharing(batch: PagedBatch, cut: Cut, policy: RelayPolicy = EAGER) -> Sharing:
    groups = find_groups(batch, policy)
    return start_sharing(batch, groups, cut_work(batch, policy, groups, cut))


def assert_covers(batch: PagedBatch, policy: RelayPolicy, cut: Cut, work: Work) -> None:
    """Each query meets each key that it sees once, in tiles that hold it, and knows where its partial results lie."""
    total = int(batch.query_starts[-1])
    lens, starts = batch.seq_lens.tolist(), batch.query_starts.tolist()
    seen = covered(batch, work)
    for request, seq_len in enumerate(lens):
        for token in range(starts[request], starts[request + 1]):
            position = seq_len - starts[request + 1] + token
            assert seen[token, : max(position + 1, 0)].eq(1).all()
            assert seen[token, max(position + 1, 0) :].eq(0).all()
    check_partials(batch, work, total, count_partials(batch, len(work.parts), cut))
    assert len(work.items) == count_items(batch, policy, cut)
    assert (work.items[:, 1] * batch.group <= cut.tiling.block_m).all()


def covered(batch: PagedBatch, work: Work) -> torch.Tensor:
    """[T, S]: how often each query attends over each of its tokens, whose pages are its own, whoever's row is read."""
    seen = torch.zeros(batch.tokens, int(batch.seq_lens.max()) + 1, dtype=torch.int64)
    rows = torch.repeat_interleave(torch.arange(batch.requests), batch.query_starts.diff().long())
    for first, queries, request, begin, end, _, _ in work.items[work.items[:, 1] > 0].tolist():
        columns = torch.arange(begin, end) // batch.page_size
        for place in range(first, first + queries):
            token, position = int(work.tokens[place]), int(work.positions[place])
            seen[token, begin : max(min(end, position + 1), begin)] += 1
            assert torch.equal(batch.block_table[rows[token], columns], batch.block_table[request, columns])
    return seen


def check_partials(batch: PagedBatch, work: Work, total: int, limit: int) -> None:
    """Each partial result has a place of its own, and the queries know all of theirs."""
    written: dict[int, set[int]] = {place: set() for place in range(total)}
    final = set()
    for first, queries, _, _, _, part, is_final in work.items.tolist():
        for index in range(queries):
            written[first + index].add(part + index)
            final |= {first + index} if is_final else set()
    known = {
        place: {
            int(first + index * distance)
            for first, distance, number in work.parts[:, :, place].tolist()
            for index in range(number)
        }
        for place in range(total)
    }
    assert written == known
    assert all((len(parts) == 1) == (place in final) for place, parts in written.items())
    everything = [part for parts in written.values() for part in parts]
    assert len(everything) == len(set(everything))
    assert max(everything, default=0) < limit
