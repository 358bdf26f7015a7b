"""A list of work in one launch: groups' queries against shared pages, requests' against their own, merged by the last.

Nobody waits: each program counts itself in with the queries that it has answered in part, and whoever completes a
query's count merges its partial results. So the order in which programs run is free, and the matrix products of the
groups overlap with the reading of the rest.
"""

from __future__ import annotations

import triton
import triton.language as tl

from abaci.backend.kernels.common.tiles import attend_tile, load_rows, load_tile, store_rows, tile_pages


@triton.jit
def attend_item(
    item_ptr, q_ptr, k_ptr, v_ptr, table_ptr, tokens_ptr, positions_ptr,
    part_ptr, part_lse_ptr, out_ptr, lse_ptr, queries, kv_head, scale_log2,
    stride_qt, stride_qh, stride_qd, stride_kn, stride_kp, stride_kd,
    stride_vn, stride_vp, stride_vd, stride_tr, stride_tc,
    stride_ot, stride_oh, stride_od, stride_lt, stride_lh,
    HQ: tl.constexpr, G: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, P: tl.constexpr, BLOCK_M: tl.constexpr,
    TILE: tl.constexpr,
):  # fmt: skip
    """The item's queries, of which G heads each fit BLOCK_M rows, attend over its keys."""
    rows = tl.arange(0, BLOCK_M)
    is_row = rows < queries * G
    places = tl.load(item_ptr) + rows // G
    tokens = tl.load(tokens_ptr + places, mask=is_row, other=0).to(tl.int64)
    q_positions = tl.load(positions_ptr + places, mask=is_row, other=-1)
    heads = kv_head * G + rows % G
    d = tl.arange(0, BLOCK_D)
    q = load_rows(q_ptr, tokens, heads, d, is_row[:, None] & (d[None, :] < D), stride_qt, stride_qh, stride_qd)

    highest = tl.full([BLOCK_M], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    values = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    table_ptr += tl.load(item_ptr + 2).to(tl.int64) * stride_tr
    start = tl.load(item_ptr + 3)
    end = tl.minimum(tl.load(item_ptr + 4), tl.max(q_positions, 0) + 1)
    for tile in range(start // TILE, tl.cdiv(end, TILE)):
        positions = tile * TILE + tl.arange(0, TILE)
        inside = (positions >= start) & (positions < end)
        pages = tile_pages(table_ptr, stride_tc, tile * TILE, inside, P, TILE)
        k = load_tile(k_ptr, pages, positions % P, inside, stride_kn, stride_kp, stride_kd, D, BLOCK_D)
        v = load_tile(v_ptr, pages, positions % P, inside, stride_vn, stride_vp, stride_vd, D, BLOCK_D)
        visible = inside[None, :] & (positions[None, :] <= q_positions[:, None])
        highest, total, values = attend_tile(q, k, v, visible, scale_log2, highest, total, values)

    if tl.load(item_ptr + 6) == 1:
        store_rows(
            out_ptr, lse_ptr, tokens, heads, is_row, highest, total, values,
            stride_ot, stride_oh, stride_od, stride_lt, stride_lh, D, BLOCK_D,
        )  # fmt: skip
    else:
        parts = (tl.load(item_ptr + 5) + rows // G).to(tl.int64)
        store_rows(
            part_ptr, part_lse_ptr, parts, heads, is_row, highest, total, values,
            HQ * D, D, 1, HQ, 1, D, BLOCK_D,
        )  # fmt: skip


@triton.jit
def settle_rows(
    parts_ptr, arrivals_ptr, tokens_ptr, part_ptr, part_lse_ptr, out_ptr, lse_ptr, places, heads, is_row, all_tokens,
    stride_ot, stride_oh, stride_od, stride_lt, stride_lh,
    HQ: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, ROWS: tl.constexpr, KINDS: tl.constexpr,
):  # fmt: skip
    """Count ROWS rows in that were stored in part, and merge the parts of those that nobody else will count."""
    tokens = tl.load(tokens_ptr + places, mask=is_row, other=0).to(tl.int64)
    expected = tl.zeros([ROWS], tl.int32)
    for kind in tl.static_range(KINDS):
        expected += tl.load(parts_ptr + (kind * 3 + 2) * all_tokens + places, mask=is_row, other=0)
    arrivals = arrivals_ptr + tokens * HQ + heads
    arrived = tl.atomic_add(arrivals, 1, mask=is_row, sem="acq_rel")
    is_mine = is_row & (arrived == expected - 1)
    # No thread reads on before the one that counted for it has seen what the others stored.
    tl.debug_barrier()
    if tl.max(is_mine.to(tl.int32), 0) == 1:
        # As the next launch wants to find it.
        tl.store(arrivals, 0, mask=is_mine)
        d = tl.arange(0, BLOCK_D)
        highest = tl.full([ROWS], float("-inf"), tl.float32)
        total = tl.zeros([ROWS], tl.float32)
        values = tl.zeros([ROWS, BLOCK_D], tl.float32)
        for kind in tl.static_range(KINDS):
            at = parts_ptr + kind * 3 * all_tokens + places
            first = tl.load(at, mask=is_mine, other=0).to(tl.int64)
            distance = tl.load(at + all_tokens, mask=is_mine, other=0).to(tl.int64)
            number = tl.load(at + 2 * all_tokens, mask=is_mine, other=0)
            for part in tl.range(0, tl.max(number, 0), num_stages=2):
                is_part = is_mine & (part < number)
                row = (first + part * distance) * HQ + heads
                # Past the processor's own cache: others wrote them.
                lse = tl.load(part_lse_ptr + row, mask=is_part, other=float("-inf"), cache_modifier=".cg")
                mask = is_part[:, None] & (d[None, :] < D)
                out = tl.load(part_ptr + row[:, None] * D + d[None, :], mask=mask, other=0.0, cache_modifier=".cg")
                raised = tl.maximum(highest, lse * 1.4426950408889634)
                shift = tl.where(raised == float("-inf"), 0.0, raised)
                weight = tl.exp2(lse * 1.4426950408889634 - shift)
                shrink = tl.exp2(highest - shift)
                total = total * shrink + weight
                values = values * shrink[:, None] + out * weight[:, None]
                highest = raised
        store_rows(
            out_ptr, lse_ptr, tokens, heads, is_mine, highest, total, values,
            stride_ot, stride_oh, stride_od, stride_lt, stride_lh, D, BLOCK_D,
        )  # fmt: skip


# No variant of its own for a batch of 1, or of 16: a server would meet them all, and compile while it serves.
@triton.jit(do_not_specialize=["all_tokens", "stride_tr"])
def relay_attention_kernel(
    q_ptr, k_ptr, v_ptr, table_ptr, tokens_ptr, positions_ptr, items_ptr, parts_ptr, arrivals_ptr,
    part_ptr, part_lse_ptr, out_ptr, lse_ptr, all_tokens, scale_log2,
    stride_qt, stride_qh, stride_qd, stride_kn, stride_kp, stride_kh, stride_kd,
    stride_vn, stride_vp, stride_vh, stride_vd, stride_tr, stride_tc,
    stride_ot, stride_oh, stride_od, stride_lt, stride_lh,
    HQ: tl.constexpr, G: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, P: tl.constexpr, BLOCK_M: tl.constexpr,
    TILE: tl.constexpr, KINDS: tl.constexpr, MIN_ROWS: tl.constexpr,
):  # fmt: skip
    """Grid (W * Hk): one item for one key-value head. All heads of an item run together: a page holds all of them."""
    # In one dimension, the only one that may have more than 65535 programs.
    kv_head = (tl.program_id(0) % (HQ // G)).to(tl.int64)
    item_ptr = items_ptr + tl.program_id(0) // (HQ // G) * 7
    queries = tl.load(item_ptr + 1)
    if queries == 0:
        return
    k_ptr += kv_head * stride_kh
    v_ptr += kv_head * stride_vh
    if queries * G <= MIN_ROWS:
        attend_item(
            item_ptr, q_ptr, k_ptr, v_ptr, table_ptr, tokens_ptr, positions_ptr,
            part_ptr, part_lse_ptr, out_ptr, lse_ptr, queries, kv_head, scale_log2,
            stride_qt, stride_qh, stride_qd, stride_kn, stride_kp, stride_kd,
            stride_vn, stride_vp, stride_vd, stride_tr, stride_tc,
            stride_ot, stride_oh, stride_od, stride_lt, stride_lh,
            HQ, G, D, BLOCK_D, P, MIN_ROWS, TILE,
        )  # fmt: skip
    elif BLOCK_M > MIN_ROWS:
        attend_item(
            item_ptr, q_ptr, k_ptr, v_ptr, table_ptr, tokens_ptr, positions_ptr,
            part_ptr, part_lse_ptr, out_ptr, lse_ptr, queries, kv_head, scale_log2,
            stride_qt, stride_qh, stride_qd, stride_kn, stride_kp, stride_kd,
            stride_vn, stride_vp, stride_vd, stride_tr, stride_tc,
            stride_ot, stride_oh, stride_od, stride_lt, stride_lh,
            HQ, G, D, BLOCK_D, P, BLOCK_M, TILE,
        )  # fmt: skip
    if tl.load(item_ptr + 6) == 0:
        # All threads have stored before one of them counts a row in.
        tl.debug_barrier()
        for first_row in range(0, queries * G, MIN_ROWS):
            rows = first_row + tl.arange(0, MIN_ROWS)
            settle_rows(
                parts_ptr, arrivals_ptr, tokens_ptr, part_ptr, part_lse_ptr, out_ptr, lse_ptr,
                tl.load(item_ptr) + rows // G, kv_head * G + rows % G, rows < queries * G, all_tokens,
                stride_ot, stride_oh, stride_od, stride_lt, stride_lh, HQ, D, BLOCK_D, MIN_ROWS, KINDS,
            )  # fmt: skip
