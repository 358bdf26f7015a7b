"""The work of a batch as a list of rectangles (queries, keys) of about equal size, one list for all layers of a step.

Numbers depend on lengths and groups, which stay on the device; shapes depend on the batch's shapes alone. What is
written here in plain torch takes some 200 launches: GPUs take the few of `search`, which must give the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.launching import Gpu
from abaci.backend.kernels.common.tables.choose import choose_tiling
from abaci.backend.kernels.common.tiling import MIN_ROWS, PROGRAMS_PER_PROCESSOR, Tiling
from abaci.backend.kernels.relay.groups import Groups
from abaci.backend.kernels.relay.policy import RelayPolicy

WIDE_ROWS = 64
"""Rows wanted in a tile of a group: what Hopper's matrix instructions multiply at once."""
MIN_TILES = 4
"""Tiles of keys that are worth a partial result, which is about as large as one of them."""


@dataclass(frozen=True)
class Cut:
    """How the work of a batch is divided."""

    tiling: Tiling
    programs: int
    """Pieces of about equal work wanted for each key-value head"""

    def wide_queries(self, group: int) -> int:
        """Queries of a full tile."""
        return self.tiling.block_m // group


@dataclass(frozen=True)
class Work:
    """Rectangles that together cover each query's keys once; one program and key-value head does one.

    Queries stand in places: sorted so that those of a request, and of a group at every level, are neighbours. What a
    request reads alone is one more kind of work after the L levels, K = L + 1 in all.
    """

    tokens: torch.Tensor
    """[T], int32: the row of q in each place"""
    positions: torch.Tensor
    """[T], int32: its position in its request"""
    items: torch.Tensor
    """[W, 7], int32: first place; queries, 0 for no work; request whose row of the block table is read; first key; key
    after the last; first partial result; 1 if these queries have no other"""
    parts: torch.Tensor
    """[K, 3, T], int32: of each kind of work a query's first partial result, their distance, their number"""


def choose_cut(batch: PagedBatch, gpu: Gpu) -> Cut:
    """The cut for this batch: some programs for each of the GPU's processors, whatever the lengths are."""
    tiling = choose_tiling("relay", WIDE_ROWS, batch.head_size, batch.q.dtype, gpu.capability)
    return Cut(tiling, -(-gpu.processors * PROGRAMS_PER_PROCESSOR // batch.kv_heads))


def count_items(batch: PagedBatch, policy: RelayPolicy, cut: Cut) -> int:
    """W, an upper bound: all programs wanted, and one more for the rest of each block of queries."""
    full_blocks = batch.tokens // cut.wide_queries(batch.group)
    of_levels = policy.levels * (full_blocks + batch.requests // policy.min_requests)
    is_narrow = batch.max_query_len * batch.group <= MIN_ROWS
    return cut.programs + of_levels + batch.requests + (0 if is_narrow else full_blocks)


def count_partials(batch: PagedBatch, kinds: int, cut: Cut) -> int:
    """An upper bound for the partial results, in queries: as for the items, whose blocks are full at most."""
    return cut.programs * cut.wide_queries(batch.group) + kinds * batch.tokens


@dataclass(frozen=True)
class _Shares:
    """What the groups read, [K, B] int64, each in the column of its leader; 0 queries in the others."""

    leaders: torch.Tensor
    first_places: torch.Tensor
    """[B]: of each request"""
    queries: torch.Tensor
    block_queries: torch.Tensor
    blocks: torch.Tensor
    begins: torch.Tensor
    ends: torch.Tensor
    pieces: torch.Tensor
    """Among how many programs the keys of each block are divided"""
    partials: torch.Tensor
    """First partial result"""
    piece_tiles: torch.Tensor
    """Tiles of keys for each of them, fewer for the last"""


def cut_work(batch: PagedBatch, policy: RelayPolicy, groups: Groups, cut: Cut) -> Work:
    """Divide what the groups and each request attend over into pieces of about equal work."""
    query_lens = batch.query_starts.diff().long()
    order = _sort(groups)
    lens = query_lens[order]
    first_places = torch.zeros_like(lens).scatter(0, order, lens.cumsum(0) - lens)
    shares = _divide(batch, groups, cut, first_places)

    places = torch.arange(batch.tokens, device=lens.device)
    request = order[torch.searchsorted(lens.cumsum(0), places, right=True).clamp(max=len(lens) - 1)]
    offset = places - first_places[request]
    leaders = shares.leaders[:, request]
    parts = (
        shares.partials.gather(1, leaders) + places - first_places[leaders],
        shares.queries.gather(1, leaders),
        shares.pieces.gather(1, leaders),
    )
    return Work(
        tokens=(batch.query_starts[request] + offset).int(),
        positions=(batch.seq_lens[request] - query_lens[request] + offset).int(),
        items=_items(shares, count_items(batch, policy, cut), cut.tiling.tile),
        parts=torch.stack(parts, 1).int(),
    )


def _sort(groups: Groups) -> torch.Tensor:
    """[B]: the requests, those of a group beside each other at every level, its leader first."""
    key = groups.leaders[0]
    for leaders in groups.leaders[1:]:
        key = key * len(key) + leaders
    return torch.argsort(key, stable=True)


def _divide(batch: PagedBatch, groups: Groups, cut: Cut, first_places: torch.Tensor) -> _Shares:
    """Keys among so many programs that all groups together have about as many as wanted."""
    own = torch.arange(batch.requests, device=batch.q.device)
    leaders = torch.cat((groups.leaders, own[None]))
    begins = torch.cat((torch.zeros_like(own)[None], groups.ends))
    ends = torch.cat((groups.ends, batch.seq_lens.long()[None]))
    query_lens = batch.query_starts.diff().long()
    queries = torch.zeros_like(leaders).scatter_add(1, leaders, query_lens.expand_as(leaders))
    is_narrow = queries * batch.group <= MIN_ROWS
    block_queries = torch.where(is_narrow, queries.clamp(min=1), cut.wide_queries(batch.group))
    blocks = _cdiv(queries, block_queries)
    tile = cut.tiling.tile
    tiles = torch.where(ends > begins, _cdiv(ends, tile) - begins // tile, 0)
    share = _cdiv((blocks * tiles).sum(), cut.programs).clamp(min=MIN_TILES)
    # A query that sees no key is answered nevertheless.
    is_own_part = torch.arange(len(leaders), device=own.device)[:, None] == len(leaders) - 1
    pieces = _cdiv(tiles, share).maximum(is_own_part.long())
    piece_tiles = _cdiv(tiles, pieces.clamp(min=1))
    sizes = queries * pieces
    partials = (sizes.flatten().cumsum(0) - sizes.flatten()).view_as(sizes)
    return _Shares(leaders, first_places, queries, block_queries, blocks, begins, ends, pieces, partials, piece_tiles)


def _items(shares: _Shares, count: int, tile: int) -> torch.Tensor:
    """[count, 7]: the list of work, the groups' first; they are the longest."""
    requests = len(shares.first_places)
    items = (shares.blocks * shares.pieces).flatten()
    last = items.cumsum(0)
    slots = torch.arange(count, device=items.device)
    at = torch.searchsorted(last, slots, right=True)
    is_item, at = at < len(last), at.clamp(max=len(last) - 1)
    request = at % requests

    def of(numbers: torch.Tensor) -> torch.Tensor:
        return numbers.flatten()[at]

    # Blocks that read the same keys are neighbours: all but one find them in the cache.
    index, blocks = slots - of(last - items), of(shares.blocks).clamp(min=1)
    piece, first = index // blocks, index % blocks * of(shares.block_queries)
    begin = (of(shares.begins) // tile + piece * of(shares.piece_tiles)) * tile
    results = shares.pieces.gather(1, shares.leaders).sum(0)
    fields = (
        shares.first_places[request] + first,
        torch.where(is_item, (of(shares.queries) - first).minimum(of(shares.block_queries)), 0),
        request,
        begin.maximum(of(shares.begins)),
        (begin + of(shares.piece_tiles) * tile).minimum(of(shares.ends)),
        of(shares.partials) + piece * of(shares.queries) + first,
        results[request] == 1,
    )
    return torch.stack(fields, 1).int()


def _cdiv(a: torch.Tensor, b: torch.Tensor | int) -> torch.Tensor:
    """The quotient rounded up."""
    return -(-a // b)
