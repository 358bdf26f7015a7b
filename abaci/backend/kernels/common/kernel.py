"""Dense attention over pages, for prefill and decode, the keys of a request divided among SPLITS programs."""

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


# No variant of its own for a batch of 1, or of 16: a server would meet them all, and compile while it serves.
@triton.jit(do_not_specialize=["requests", "stride_tr", "stride_ls"])
def paged_attention_kernel(
    q_ptr, k_ptr, v_ptr, table_ptr, seq_lens_ptr, query_starts_ptr, kv_starts_ptr, out_ptr, lse_ptr,
    requests, scale_log2,
    stride_qt, stride_qh, stride_qd, stride_kn, stride_kp, stride_kh, stride_kd,
    stride_vn, stride_vp, stride_vh, stride_vd, stride_tr, stride_tc,
    stride_os, stride_ot, stride_oh, stride_od, stride_ls, stride_lt, stride_lh,
    G: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, P: tl.constexpr, BLOCK_M: tl.constexpr, TILE: tl.constexpr,
    SPLITS: tl.constexpr, ONE_BLOCK: tl.constexpr, HAS_KV_STARTS: tl.constexpr,
):  # fmt: skip
    """Grid (blocks, Hk, SPLITS): the rows of one block against one split of the keys that any of them sees."""
    kv_head = tl.program_id(1).to(tl.int64)
    split = tl.program_id(2)
    request, first_row = locate_block(tl.program_id(0), query_starts_ptr, requests, G, BLOCK_M, ONE_BLOCK)
    first_token = tl.load(query_starts_ptr + request)
    query_len = tl.load(query_starts_ptr + request + 1) - first_token
    if first_row >= query_len * G:
        return
    seq_len = tl.load(seq_lens_ptr + request)
    start = 0
    if HAS_KV_STARTS:
        start = tl.load(kv_starts_ptr + request)

    queries, tokens, heads, is_row = block_rows(first_row, first_token, query_len, kv_head, G, BLOCK_M)
    q_positions = seq_len - query_len + queries
    d = tl.arange(0, BLOCK_D)
    q = load_rows(q_ptr, tokens, heads, d, is_row[:, None] & (d[None, :] < D), stride_qt, stride_qh, stride_qd)

    highest = tl.full([BLOCK_M], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    values = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    last_row = tl.minimum(first_row + BLOCK_M, query_len * G) - 1
    end = seq_len - query_len + last_row // G + 1
    first_tile, last_tile = split_range(tl.maximum(tl.cdiv(end, TILE) - start // TILE, 0), split, SPLITS)
    table_ptr += request.to(tl.int64) * stride_tr
    k_ptr += kv_head * stride_kh
    v_ptr += kv_head * stride_vh
    for tile in range(start // TILE + first_tile, start // TILE + last_tile):
        positions = tile * TILE + tl.arange(0, TILE)
        inside = (positions >= start) & (positions < end)
        pages = tile_pages(table_ptr, stride_tc, tile * TILE, inside, P, TILE)
        k = load_tile(k_ptr, pages, positions % P, inside, stride_kn, stride_kp, stride_kd, D, BLOCK_D)
        v = load_tile(v_ptr, pages, positions % P, inside, stride_vn, stride_vp, stride_vd, D, BLOCK_D)
        visible = inside[None, :] & (positions[None, :] <= q_positions[:, None])
        highest, total, values = attend_tile(q, k, v, visible, scale_log2, highest, total, values)

    out_ptr += split.to(tl.int64) * stride_os
    lse_ptr += split.to(tl.int64) * stride_ls
    store_rows(
        out_ptr, lse_ptr, tokens, heads, is_row, highest, total, values,
        stride_ot, stride_oh, stride_od, stride_lt, stride_lh, D, BLOCK_D,
    )  # fmt: skip
