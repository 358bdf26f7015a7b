"""The launches that find groups and work: one a level, and three."""

from __future__ import annotations

import torch

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.tiling import MIN_ROWS, block_size
from abaci.backend.kernels.relay.groups import Groups
from abaci.backend.kernels.relay.policy import RelayPolicy, token_bytes
from abaci.backend.kernels.relay.work import MIN_TILES, Cut, Work, count_items

ITEM_FIELDS, SHARE_FIELDS = 7, 9
ROWS = 64
"""Requests that a program compares with its own at once."""
COLUMNS = 256
"""Pages of two requests that a program compares at once."""


def allocate(batch: PagedBatch, policy: RelayPolicy, cut: Cut) -> tuple[Groups, Work]:
    """Room for groups and work; nothing in it is initialised."""
    tokens, levels = batch.tokens, policy.levels
    leaders, ends = (torch.empty(levels, batch.requests, dtype=torch.int64, device=batch.q.device) for _ in range(2))
    items = empty(batch, count_items(batch, policy, cut), ITEM_FIELDS)
    work = Work(empty(batch, tokens), empty(batch, tokens), items, empty(batch, levels + 1, 3, tokens))
    return Groups(leaders, ends), work


def empty(batch: PagedBatch, *size: int) -> torch.Tensor:
    """Numbers of 32 bits on the batch's device, not initialised."""
    return torch.empty(size, dtype=torch.int32, device=batch.q.device)


def search(batch: PagedBatch, policy: RelayPolicy, cut: Cut) -> tuple[Groups, Work]:
    """`find_groups` and `cut_work` on the batch's device, or in Triton's interpreter on the CPU.

    Queries may stand in other places than `cut_work` gives them where groups were found that do not pay.
    """
    from abaci.backend.kernels.relay.search import kernel

    groups, work = allocate(batch, policy, cut)
    requests, levels = batch.requests, policy.levels
    common = empty(batch, levels, requests)
    saved, first_places = empty(batch, requests), empty(batch, requests)
    shares = empty(batch, SHARE_FIELDS, levels + 1, requests)
    lens = (batch.seq_lens, batch.query_starts)
    for level in range(levels):
        kernel.find_level_kernel[(requests,)](
            batch.block_table,
            *lens,
            groups.leaders,
            groups.ends,
            common,
            requests,
            batch.block_table.shape[1],
            policy.min_requests,
            *batch.block_table.stride(),
            P=batch.page_size,
            NEEDED=-(-policy.min_tokens // batch.page_size),
            LEVEL=level,
            ROWS=ROWS,
            COLUMNS=COLUMNS,
        )
    kernel.place_kernel[(requests,)](
        batch.query_starts,
        groups.leaders,
        groups.ends,
        common,
        saved,
        first_places,
        shares,
        requests,
        P=batch.page_size,
        LEVELS=levels,
        ROWS=ROWS,
    )
    kernel.share_kernel[(1,)](
        batch.seq_lens,
        groups.leaders,
        groups.ends,
        saved,
        shares,
        requests,
        cut.programs,
        -(-policy.min_saved_bytes // token_bytes(batch)),
        LEVELS=levels,
        G=batch.group,
        WIDE=cut.wide_queries(batch.group),
        TILE=cut.tiling.tile,
        MIN_ROWS=MIN_ROWS,
        MIN_TILES=MIN_TILES,
        BLOCK_B=block_size(requests),
    )
    kernel.list_kernel[(len(work.items) + requests,)](
        *lens,
        groups.leaders,
        first_places,
        shares,
        work.items,
        work.tokens,
        work.positions,
        work.parts,
        requests,
        len(work.items),
        batch.tokens,
        LEVELS=levels,
        TILE=cut.tiling.tile,
        BLOCK_KB=block_size((levels + 1) * requests),
        ROWS=ROWS,
    )
    return groups, work
