"""Groups and their work, found by the device: a program for each request, and one for all where sums need it.

Leaders and ends are [L, B] int64 as in `Groups`; `common` [L, B] int32 are the pages that a request shares with its
leader. `shares` [9, K, B] int32 hold, for each kind of work in the column of the group's leader: queries, blocks,
queries of a block, pieces, tiles of a piece, first key, key after the last, first partial result, and the number of
items in the list up to the group's last.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def query_lens(query_starts_ptr, requests, mask):
    """Queries of each of these requests; 0 where masked."""
    starts = tl.load(query_starts_ptr + requests, mask=mask, other=0)
    return tl.load(query_starts_ptr + requests + 1, mask=mask, other=0) - starts


@triton.jit
def seen_pages(seq_lens_ptr, query_starts_ptr, requests, mask, P: tl.constexpr):
    """Pages that every query of these requests sees to their end."""
    queries = query_lens(query_starts_ptr, requests, mask)
    seen = tl.load(seq_lens_ptr + requests, mask=mask, other=0) - queries + 1
    return tl.where(queries > 0, tl.maximum(seen, 0), 0) // P


@triton.jit
def group_end(leaders_ptr, common_ptr, leader, requests, ROWS: tl.constexpr):
    """Pages that all whom `leader` leads share."""
    shortest = 2147483647
    for start in range(0, requests, ROWS):
        rows = start + tl.arange(0, ROWS)
        inside = rows < requests
        is_led = inside & (tl.load(leaders_ptr + rows, mask=inside, other=-1) == leader)
        common = tl.load(common_ptr + rows, mask=is_led, other=2147483647)
        shortest = tl.minimum(shortest, tl.min(common, 0))
    return shortest


@triton.jit
def common_pages(table_ptr, first_row, second_row, column, end, stride_tc, COLUMNS: tl.constexpr):
    """The first column from `column` on in which two rows of the block table differ; `end` if none before it does."""
    while column < end:
        columns = column + tl.arange(0, COLUMNS)
        inside = columns < end
        at = columns.to(tl.int64) * stride_tc
        first = tl.load(table_ptr + first_row + at, mask=inside, other=0)
        second = tl.load(table_ptr + second_row + at, mask=inside, other=0)
        end = tl.minimum(end, tl.min(tl.where(first != second, columns, end), 0))
        column += COLUMNS
    return end


@triton.jit(do_not_specialize=["requests", "columns", "min_requests", "stride_tr"])
def find_level_kernel(
    table_ptr, seq_lens_ptr, query_starts_ptr, leaders_ptr, ends_ptr, common_ptr, requests, columns, min_requests,
    stride_tr, stride_tc,
    P: tl.constexpr, NEEDED: tl.constexpr, LEVEL: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Grid (B,): the group of each request at LEVEL, within its group at the level above."""
    request = tl.program_id(0)
    end = 0
    if LEVEL > 0:
        above_ptr = leaders_ptr + (LEVEL - 1) * requests
        above = tl.load(above_ptr + request)
        end = group_end(above_ptr, common_ptr + (LEVEL - 1) * requests, above, requests, ROWS)
        tl.store(ends_ptr + (LEVEL - 1) * requests + request, end * P)
    seen = seen_pages(seq_lens_ptr, query_starts_ptr, request, True, P)
    row = request.to(tl.int64) * stride_tr
    count = 0
    first = requests
    if seen - end >= NEEDED:
        for start in range(0, requests, ROWS):
            rows = start + tl.arange(0, ROWS)
            inside = rows < requests
            same = inside & (seen_pages(seq_lens_ptr, query_starts_ptr, rows, inside, P) - end >= NEEDED)
            if LEVEL > 0:
                same = same & (tl.load(above_ptr + rows, mask=inside, other=-1) == above)
            for window in range(0, NEEDED, 16):
                offsets = window + tl.arange(0, 16)
                is_needed = offsets < NEEDED
                at = (end + offsets).to(tl.int64) * stride_tc
                mine = tl.load(table_ptr + row + at, mask=is_needed, other=0)
                theirs_ptr = table_ptr + rows[:, None].to(tl.int64) * stride_tr + at[None, :]
                theirs = tl.load(theirs_ptr, mask=same[:, None] & is_needed[None, :], other=0)
                differs = is_needed[None, :] & (theirs != mine[None, :])
                same = same & (tl.max(differs.to(tl.int32), 1) == 0)
            count += tl.sum(same.to(tl.int32), 0)
            first = tl.minimum(first, tl.min(tl.where(same, rows, requests), 0))
    leader = request
    common = end
    if count >= min_requests:
        leader = first
        common = common_pages(
            table_ptr, row, leader.to(tl.int64) * stride_tr, end, tl.minimum(seen, columns), stride_tc, COLUMNS
        )
    tl.store(leaders_ptr + LEVEL * requests + request, leader)
    tl.store(common_ptr + LEVEL * requests + request, common)


@triton.jit(do_not_specialize=["requests"])
def place_kernel(
    query_starts_ptr, leaders_ptr, ends_ptr, common_ptr, saved_ptr, first_places_ptr, shares_ptr, requests,
    P: tl.constexpr, LEVELS: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """Grid (B,): where the queries of each request stand, how many its groups have, what it saves."""
    request = tl.program_id(0)
    saved = 0
    above = 0
    for level in tl.static_range(LEVELS):
        leader = tl.load(leaders_ptr + level * requests + request)
        end = group_end(leaders_ptr + level * requests, common_ptr + level * requests, leader, requests, ROWS)
        tl.store(ends_ptr + level * requests + request, end * P)
        saved += tl.where(leader == request, 0, (end - above) * P)
        above = end
        queries = 0
        for start in range(0, requests, ROWS):
            rows = start + tl.arange(0, ROWS)
            inside = rows < requests
            is_led = tl.load(leaders_ptr + level * requests + rows, mask=inside, other=-1) == request
            queries += tl.sum(tl.where(is_led, query_lens(query_starts_ptr, rows, inside), 0), 0)
        tl.store(shares_ptr + level * requests + request, queries)
    tl.store(saved_ptr + request, saved)
    tl.store(shares_ptr + LEVELS * requests + request, query_lens(query_starts_ptr, request, True))

    # By the leaders, the widest group's first, then by number.
    first_place = 0
    for start in range(0, requests, ROWS):
        rows = start + tl.arange(0, ROWS)
        inside = rows < requests
        is_before = rows < 0
        is_equal = inside
        for level in tl.static_range(LEVELS):
            mine = tl.load(leaders_ptr + level * requests + request)
            theirs = tl.load(leaders_ptr + level * requests + rows, mask=inside, other=0)
            is_before = is_before | (is_equal & (theirs < mine))
            is_equal = is_equal & (theirs == mine)
        is_before = is_before | (is_equal & (rows < request))
        first_place += tl.sum(tl.where(is_before, query_lens(query_starts_ptr, rows, inside), 0), 0)
    tl.store(first_places_ptr + request, first_place)


@triton.jit
def group_tiles(
    seq_lens_ptr, ends_ptr, shares_ptr, requests, rows, inside, pays,
    KIND: tl.constexpr, LEVELS: tl.constexpr, G: tl.constexpr, WIDE: tl.constexpr, TILE: tl.constexpr,
    MIN_ROWS: tl.constexpr,
):  # fmt: skip
    """Of each group of one kind: queries, queries of a block, blocks, first and last key, tiles of keys."""
    queries = tl.load(shares_ptr + KIND * requests + rows, mask=inside, other=0)
    begin = tl.zeros_like(queries)
    if KIND > 0:
        begin = tl.where(pays, tl.load(ends_ptr + (KIND - 1) * requests + rows, mask=inside, other=0), 0).to(tl.int32)
    if KIND < LEVELS:
        end = tl.where(pays, tl.load(ends_ptr + KIND * requests + rows, mask=inside, other=0), 0).to(tl.int32)
    else:
        end = tl.load(seq_lens_ptr + rows, mask=inside, other=0)
    per_block = tl.where(queries * G <= MIN_ROWS, tl.maximum(queries, 1), WIDE)
    tiles = tl.where(end > begin, tl.cdiv(end, TILE) - begin // TILE, 0)
    return queries, per_block, tl.cdiv(queries, per_block), begin, end, tiles


@triton.jit(do_not_specialize=["requests", "programs", "min_saved_tokens"])
def share_kernel(
    seq_lens_ptr, leaders_ptr, ends_ptr, saved_ptr, shares_ptr, requests, programs, min_saved_tokens,
    LEVELS: tl.constexpr, G: tl.constexpr, WIDE: tl.constexpr, TILE: tl.constexpr, MIN_ROWS: tl.constexpr,
    MIN_TILES: tl.constexpr, BLOCK_B: tl.constexpr,
):  # fmt: skip
    """Grid (1,): whether the groups pay, and among how many programs the keys of each are divided."""
    rows = tl.arange(0, BLOCK_B)
    inside = rows < requests
    pays = tl.sum(tl.load(saved_ptr + rows, mask=inside, other=0).to(tl.int64), 0) >= min_saved_tokens
    total = tl.zeros([], tl.int64)
    for kind in tl.static_range(LEVELS + 1):
        _, _, blocks, _, _, tiles = group_tiles(
            seq_lens_ptr, ends_ptr, shares_ptr, requests, rows, inside, pays, kind, LEVELS, G, WIDE, TILE, MIN_ROWS
        )
        total += tl.sum(blocks.to(tl.int64) * tiles, 0)
    share = tl.maximum(tl.cdiv(total, programs), MIN_TILES).to(tl.int32)
    items_before = 0
    partials_before = 0
    for kind in tl.static_range(LEVELS + 1):
        queries, per_block, blocks, begin, end, tiles = group_tiles(
            seq_lens_ptr, ends_ptr, shares_ptr, requests, rows, inside, pays, kind, LEVELS, G, WIDE, TILE, MIN_ROWS
        )
        pieces = tl.cdiv(tiles, share)
        if kind == LEVELS:
            # A query that sees no key is answered nevertheless.
            pieces = tl.maximum(pieces, 1)
        items = blocks * pieces
        partials = queries * pieces
        at = shares_ptr + kind * requests + rows
        field = (LEVELS + 1) * requests
        tl.store(at + field, blocks, mask=inside)
        tl.store(at + 2 * field, per_block, mask=inside)
        tl.store(at + 3 * field, pieces, mask=inside)
        tl.store(at + 4 * field, tl.cdiv(tiles, tl.maximum(pieces, 1)), mask=inside)
        tl.store(at + 5 * field, begin, mask=inside)
        tl.store(at + 6 * field, end, mask=inside)
        tl.store(at + 7 * field, partials_before + tl.cumsum(partials, 0) - partials, mask=inside)
        tl.store(at + 8 * field, items_before + tl.cumsum(items, 0), mask=inside)
        items_before += tl.sum(items, 0)
        partials_before += tl.sum(partials, 0)
    if not pays:
        for level in tl.static_range(LEVELS):
            tl.store(leaders_ptr + level * requests + rows, rows, mask=inside)
            tl.store(ends_ptr + level * requests + rows, tl.zeros_like(rows), mask=inside)


@triton.jit(do_not_specialize=["requests", "count", "all_tokens"])
def list_kernel(
    seq_lens_ptr, query_starts_ptr, leaders_ptr, first_places_ptr, shares_ptr, items_ptr, tokens_ptr, positions_ptr,
    parts_ptr, requests, count, all_tokens,
    LEVELS: tl.constexpr, TILE: tl.constexpr, BLOCK_KB: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """Grid (W + B,): an item each, then the queries of a request each."""
    groups = (LEVELS + 1) * requests
    slot = tl.program_id(0)
    if slot < count:
        entries = tl.arange(0, BLOCK_KB)
        is_group = entries < groups
        last = tl.load(shares_ptr + 8 * groups + entries, mask=is_group, other=2147483647)
        at = tl.sum((is_group & (last <= slot)).to(tl.int32), 0)
        item_ptr = items_ptr + slot * 7
        if at == groups:
            tl.store(item_ptr + 1, 0)
        else:
            group_ptr = shares_ptr + at
            queries = tl.load(group_ptr)
            blocks = tl.load(group_ptr + groups)
            per_block = tl.load(group_ptr + 2 * groups)
            tiles = tl.load(group_ptr + 4 * groups)
            begin = tl.load(group_ptr + 5 * groups)
            # Blocks that read the same keys are neighbours: all but one find them in the cache.
            index = slot - (tl.load(group_ptr + 8 * groups) - blocks * tl.load(group_ptr + 3 * groups))
            piece = index // blocks
            first = index % blocks * per_block
            start = (begin // TILE + piece * tiles) * TILE
            request = at % requests
            results = 0
            for kind in tl.static_range(LEVELS + 1):
                leader = request
                if kind < LEVELS:
                    leader = tl.load(leaders_ptr + kind * requests + request).to(tl.int32)
                results += tl.load(shares_ptr + 3 * groups + kind * requests + leader)
            tl.store(item_ptr, tl.load(first_places_ptr + request) + first)
            tl.store(item_ptr + 1, tl.minimum(queries - first, per_block))
            tl.store(item_ptr + 2, request)
            tl.store(item_ptr + 3, tl.maximum(start, begin))
            tl.store(item_ptr + 4, tl.minimum(start + tiles * TILE, tl.load(group_ptr + 6 * groups)))
            tl.store(item_ptr + 5, tl.load(group_ptr + 7 * groups) + piece * queries + first)
            tl.store(item_ptr + 6, tl.where(results == 1, 1, 0))
    else:
        request = slot - count
        first_token = tl.load(query_starts_ptr + request)
        queries = query_lens(query_starts_ptr, request, True)
        position = tl.load(seq_lens_ptr + request) - queries
        first_place = tl.load(first_places_ptr + request)
        for start in range(0, queries, ROWS):
            offsets = start + tl.arange(0, ROWS)
            is_query = offsets < queries
            places = first_place + offsets
            tl.store(tokens_ptr + places, first_token + offsets, mask=is_query)
            tl.store(positions_ptr + places, position + offsets, mask=is_query)
            for kind in tl.static_range(LEVELS + 1):
                leader = request
                if kind < LEVELS:
                    leader = tl.load(leaders_ptr + kind * requests + request).to(tl.int32)
                group_ptr = shares_ptr + kind * requests + leader
                first = tl.load(group_ptr + 7 * groups) - tl.load(first_places_ptr + leader)
                part_ptr = parts_ptr + kind * 3 * all_tokens + places
                tl.store(part_ptr, first + places, mask=is_query)
                tl.store(part_ptr + all_tokens, tl.zeros_like(places) + tl.load(group_ptr), mask=is_query)
                number = tl.load(group_ptr + 3 * groups)
                tl.store(part_ptr + 2 * all_tokens, tl.zeros_like(places) + number, mask=is_query)
