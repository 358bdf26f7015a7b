"""Sinks and window over pages: pages between the two are never read, nor are their entries in the block table."""

from __future__ import annotations

import triton
import triton.language as tl

from abaci.backend.kernels.common.tiles import (
    attend_tile,
    block_rows,
    load_rows,
    load_tile,
    locate_block,
    split_range,
    store_rows,
    tile_pages,
)


@triton.jit
def sin_cos(angles):
    """Sine and cosine within 1e-6 for angles up to 5e6, after the polynomials of Cephes' sinf and cosf.

    The library's own keep a table of 2/pi on the stack for angles of any size, in a loop that should keep to registers.
    """
    # pi/2 is 1.57080078125 - 4.470348358154296875e-6 + 1.5893255e-8. Multiples of 1024 quarter turns are taken off, and
    # then the quarters that are left. The first two parts are so short that all of their products and differences are
    # exact: it does not matter whether the compiler fuses them.
    blocks = tl.floor(angles * 6.216989965e-4 + 0.5)
    x = (angles - blocks * 1608.5) + blocks * 4.57763671875e-3
    quarters = tl.floor(x * 0.6366197723675814 + 0.5)
    x = ((x - quarters * 1.57080078125) + quarters * 4.470348358154296875e-6) - (
        blocks * 1024 + quarters
    ) * 1.5893255e-8
    z = x * x
    sin = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * x + x
    cos = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0
    quadrant = quarters.to(tl.int32)
    is_odd = quadrant % 2 != 0
    sin, cos = tl.where(is_odd, cos, sin), tl.where(is_odd, sin, cos)
    return tl.where(quadrant & 2 != 0, -sin, sin), tl.where((quadrant + 1) & 2 != 0, -cos, cos)


@triton.jit
def rotated_rows(
    q, q_ptr, tokens, heads, is_row, shifts, inv_freq_ptr, stride_qt, stride_qh, stride_qd,
    D: tl.constexpr, BLOCK_D: tl.constexpr, R: tl.constexpr, IS_NEOX: tl.constexpr,
):  # fmt: skip
    """The queries `q`, each turned on by its `shifts` tokens."""
    d = tl.arange(0, BLOCK_D)
    is_rotated = d < 2 * R
    if IS_NEOX:
        partner = tl.where(d < R, d + R, d - R)
        pair = d % R
        sign = tl.where(d < R, -1.0, 1.0)
        mask = is_row[:, None] & is_rotated[None, :]
        others = load_rows(q_ptr, tokens, heads, partner, mask, stride_qt, stride_qh, stride_qd)
    else:
        # Neighbours, which were loaded together: to gather them would load each alone.
        pair = d // 2
        sign = tl.where(d % 2 == 0, -1.0, 1.0)
        even, odd = tl.split(tl.reshape(q, q.shape[0], BLOCK_D // 2, 2))
        others = tl.reshape(tl.join(odd, even), q.shape[0], BLOCK_D)
    frequencies = tl.load(inv_freq_ptr + pair, mask=is_rotated, other=0.0)
    sin, cos = sin_cos(shifts.to(tl.float32)[:, None] * frequencies[None, :])
    return q.to(tl.float32) * cos + others.to(tl.float32) * sign[None, :] * sin


@triton.jit(do_not_specialize=["requests", "n_sinks", "window", "stride_tr", "stride_ls"])
def sink_attention_kernel(
    q_ptr, k_ptr, v_ptr, table_ptr, seq_lens_ptr, query_starts_ptr, inv_freq_ptr, sink_logits_ptr, out_ptr, lse_ptr,
    requests, scale_log2, n_sinks, window,
    stride_qt, stride_qh, stride_qd, stride_kn, stride_kp, stride_kh, stride_kd,
    stride_vn, stride_vp, stride_vh, stride_vd, stride_tr, stride_tc,
    stride_os, stride_ot, stride_oh, stride_od, stride_ls, stride_lt, stride_lh,
    G: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, P: tl.constexpr, BLOCK_M: tl.constexpr, TILE: tl.constexpr,
    SPLITS: tl.constexpr, ONE_BLOCK: tl.constexpr, R: tl.constexpr, IS_NEOX: tl.constexpr, HAS_LOGITS: tl.constexpr,
):  # fmt: skip
    """Grid (blocks, Hk, SPLITS): one block's rows against one split of its tiles, the sinks' first, then the window's.

    R is 0 with absolute positions.
    """
    kv_head = tl.program_id(1).to(tl.int64)
    split = tl.program_id(2)
    request, first_row = locate_block(tl.program_id(0), query_starts_ptr, requests, G, BLOCK_M, ONE_BLOCK)
    first_token = tl.load(query_starts_ptr + request)
    query_len = tl.load(query_starts_ptr + request + 1) - first_token
    if first_row >= query_len * G:
        return
    first_position = tl.load(seq_lens_ptr + request) - query_len
    queries, tokens, heads, is_row = block_rows(first_row, first_token, query_len, kv_head, G, BLOCK_M)
    q_positions = first_position + queries
    d = tl.arange(0, BLOCK_D)
    q_mask = is_row[:, None] & (d[None, :] < D)

    highest = tl.full([BLOCK_M], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    values = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    if HAS_LOGITS:
        # Counted once, by the first split: a key of this score without a value.
        logits = tl.load(sink_logits_ptr + heads, mask=is_row, other=float("-inf"))
        highest = tl.where(split == 0, logits.to(tl.float32) * 1.4426950408889634, float("-inf"))
        total = tl.where(highest > float("-inf"), 1.0, 0.0)

    # Of all rows of the block: one past the last position, and the first that any window reaches.
    end = first_position + (tl.minimum(first_row + BLOCK_M, query_len * G) - 1) // G + 1
    sinks_end = tl.minimum(n_sinks, end)
    # Queries before the first token see nothing; a window of 2^31 - 1 would reach from them past int32.
    window_start = tl.maximum(n_sinks, tl.maximum(first_position + first_row // G, 0) - window + 1)
    sink_tiles = tl.cdiv(sinks_end, TILE)
    window_tiles = tl.where(window_start < end, tl.cdiv(end, TILE) - window_start // TILE, 0)
    first_tile, last_tile = split_range(sink_tiles + window_tiles, split, SPLITS)
    table_ptr += request.to(tl.int64) * stride_tr
    k_ptr += kv_head * stride_kh
    v_ptr += kv_head * stride_vh

    if first_tile < sink_tiles:
        to_sinks = load_rows(q_ptr, tokens, heads, d, q_mask, stride_qt, stride_qh, stride_qd)
        if R > 0:
            shifts = tl.minimum(n_sinks + window - 1 - tl.maximum(q_positions, 0), 0)
            to_sinks = rotated_rows(
                to_sinks, q_ptr, tokens, heads, is_row, shifts, inv_freq_ptr, stride_qt, stride_qh, stride_qd,
                D, BLOCK_D, R, IS_NEOX,
            ).to(to_sinks.dtype)  # fmt: skip
        for tile in range(first_tile, tl.minimum(last_tile, sink_tiles)):
            positions = tile * TILE + tl.arange(0, TILE)
            inside = positions < sinks_end
            pages = tile_pages(table_ptr, stride_tc, tile * TILE, inside, P, TILE)
            k = load_tile(k_ptr, pages, positions % P, inside, stride_kn, stride_kp, stride_kd, D, BLOCK_D)
            v = load_tile(v_ptr, pages, positions % P, inside, stride_vn, stride_vp, stride_vd, D, BLOCK_D)
            visible = inside[None, :] & (positions[None, :] <= q_positions[:, None])
            highest, total, values = attend_tile(to_sinks, k, v, visible, scale_log2, highest, total, values)

    # Only now: the queries and the turned ones together would not fit the registers.
    q = load_rows(q_ptr, tokens, heads, d, q_mask, stride_qt, stride_qh, stride_qd)
    skipped = window_start // TILE - sink_tiles
    for tile in range(tl.maximum(first_tile, sink_tiles) + skipped, tl.maximum(last_tile, sink_tiles) + skipped):
        positions = tile * TILE + tl.arange(0, TILE)
        inside = (positions >= window_start) & (positions < end)
        pages = tile_pages(table_ptr, stride_tc, tile * TILE, inside, P, TILE)
        k = load_tile(k_ptr, pages, positions % P, inside, stride_kn, stride_kp, stride_kd, D, BLOCK_D)
        v = load_tile(v_ptr, pages, positions % P, inside, stride_vn, stride_vp, stride_vd, D, BLOCK_D)
        distances = q_positions[:, None] - positions[None, :]
        visible = inside[None, :] & (distances >= 0) & (distances < window)
        highest, total, values = attend_tile(q, k, v, visible, scale_log2, highest, total, values)

    out_ptr += split.to(tl.int64) * stride_os
    lse_ptr += split.to(tl.int64) * stride_ls
    store_rows(
        out_ptr, lse_ptr, tokens, heads, is_row, highest, total, values,
        stride_ot, stride_oh, stride_od, stride_lt, stride_lh, D, BLOCK_D,
    )  # fmt: skip
