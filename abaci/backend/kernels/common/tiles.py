"""Device functions that every kernel is built of: whose rows a program answers, loading pages, the running softmax.

A program answers BLOCK_M rows of one request and one key-value head. Rows are (token, head of the group) pairs, so that
the G query heads that share keys fill one matrix tile whatever G is: row i is token i // G, head i % G.
Softmax runs in base 2, in float32; every address is computed in 64 bits.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def locate_block(block, query_starts_ptr, requests, G: tl.constexpr, BLOCK_M: tl.constexpr, ONE_BLOCK: tl.constexpr):
    """The request that owns `block`, and the block's first row within that request.

    Request b owns the blocks from `query_starts[b] * G // BLOCK_M + b` on: enough for its rows, at most one to spare,
    found by bisection. With ONE_BLOCK each request has rows for one block only.
    """
    if ONE_BLOCK:
        request = block
        first_row = 0
    else:
        low = 0
        high = requests
        while low < high:
            middle = (low + high) // 2
            if tl.load(query_starts_ptr + middle) * G // BLOCK_M + middle <= block:
                low = middle + 1
            else:
                high = middle
        request = low - 1
        first_row = (block - tl.load(query_starts_ptr + request) * G // BLOCK_M - request) * BLOCK_M
    return request, first_row


@triton.jit
def split_range(tiles, split, SPLITS: tl.constexpr):
    """The first tile of `split`, and the tile after its last; empty for a split that has nothing left to do."""
    share = tl.cdiv(tiles, SPLITS)
    first = tl.minimum(split * share, tiles)
    return first, tl.minimum(first + share, tiles)


@triton.jit
def tile_pages(table_ptr, stride_column, first, inside, P: tl.constexpr, TILE: tl.constexpr):
    """The pages of the TILE tokens from `first`, a multiple of TILE, at least one of them `inside`.

    No entry of the table is read but those of tokens inside.
    """
    if P % TILE == 0:
        # One page holds them all: one scalar load, and addresses that the compiler sees to be regular.
        pages = tl.load(table_ptr + tl.cast(first // P, tl.int64) * stride_column)
    else:
        columns = ((first + tl.arange(0, TILE)) // P).to(tl.int64)
        pages = tl.load(table_ptr + columns * stride_column, mask=inside, other=0)
    return pages.to(tl.int64)


@triton.jit
def load_tile(ptr, pages, slots, inside, stride_n, stride_p, stride_d, D: tl.constexpr, BLOCK_D: tl.constexpr):
    """[TILE, BLOCK_D] of a cache; 0 outside, where memory may hold anything, NaN included."""
    d = tl.arange(0, BLOCK_D)
    mask = inside[:, None]
    if D < BLOCK_D:
        mask = mask & (d[None, :] < D)
    tokens = pages * stride_n + slots.to(tl.int64) * stride_p
    return tl.load(ptr + tokens[:, None] + d[None, :].to(tl.int64) * stride_d, mask=mask, other=0.0)


@triton.jit
def block_rows(first_row, first_token, query_len, kv_head, G: tl.constexpr, BLOCK_M: tl.constexpr):
    """Of each row from `first_row`: its query's index within the request, token and head of q, whether it exists."""
    rows = first_row + tl.arange(0, BLOCK_M)
    queries = rows // G
    return queries, (first_token + queries).to(tl.int64), kv_head * G + rows % G, rows < query_len * G


@triton.jit
def load_rows(q_ptr, tokens, heads, d, mask, stride_qt, stride_qh, stride_qd):
    """[BLOCK_M, BLOCK_D] of the queries: elements `d`; 0 where masked."""
    at = q_ptr + tokens[:, None] * stride_qt + heads[:, None] * stride_qh + d[None, :].to(tl.int64) * stride_qd
    return tl.load(at, mask=mask, other=0.0)


@triton.jit
def attend_tile(q, k, v, visible, scale_log2, highest, total, values):
    """The running softmax (`highest` score, `total` weight, weighted `values`) after one more tile of keys."""
    scores = tl.dot(q, tl.trans(k), input_precision="ieee") * scale_log2
    scores = tl.where(visible, scores, float("-inf"))
    raised = tl.maximum(highest, tl.max(scores, 1))
    # A row that has seen no key yet: -inf minus -inf would be NaN.
    shift = tl.where(raised == float("-inf"), 0.0, raised)
    weights = tl.exp2(scores - shift[:, None])
    shrink = tl.exp2(highest - shift)
    total = total * shrink + tl.sum(weights, 1)
    values = values * shrink[:, None] + tl.dot(weights.to(v.dtype), v, input_precision="ieee")
    return raised, total, values


@triton.jit
def store_rows(
    out_ptr, lse_ptr, tokens, heads, is_row, highest, total, values,
    stride_ot, stride_oh, stride_od, stride_lt, stride_lh, D: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """Write the softmax's result and its natural log-sum-exp; 0 and -inf for rows that saw no key."""
    d = tl.arange(0, BLOCK_D)
    whole = tl.where(total > 0, total, 1.0)
    out = (values / whole[:, None]).to(out_ptr.dtype.element_ty)
    at = out_ptr + tokens[:, None] * stride_ot + heads[:, None] * stride_oh + d[None, :].to(tl.int64) * stride_od
    tl.store(at, out, mask=is_row[:, None] & (d[None, :] < D))
    lse = (highest + tl.log2(whole)) * 0.6931471805599453
    tl.store(lse_ptr + tokens * stride_lt + heads * stride_lh, lse, mask=is_row)


@triton.jit(do_not_specialize=["requests", "stride_ls"])
def merge_splits_kernel(
    part_ptr, part_lse_ptr, query_starts_ptr, out_ptr, lse_ptr, requests,
    stride_ps, stride_pt, stride_ph, stride_pd, stride_ls, stride_lt, stride_lh,
    stride_ot, stride_oh, stride_od, stride_et, stride_eh,
    D: tl.constexpr, BLOCK_D: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    """The results over SPLITS sets of keys become one: each counts with its share of the softmax. Grid (T, Hq)."""
    token = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1).to(tl.int64)
    if token >= tl.load(query_starts_ptr + requests):
        return
    splits = tl.arange(0, SPLITS).to(tl.int64)
    d = tl.arange(0, BLOCK_D)
    lse = tl.load(part_lse_ptr + splits * stride_ls + token * stride_lt + head * stride_lh)
    highest = tl.max(lse, 0)
    shift = tl.where(highest == float("-inf"), 0.0, highest)
    weights = tl.exp2((lse - shift) * 1.4426950408889634)
    total = tl.sum(weights, 0)
    whole = tl.where(total > 0, total, 1.0)
    mask = (lse > float("-inf"))[:, None] & (d[None, :] < D)
    parts_at = part_ptr + splits[:, None] * stride_ps + token * stride_pt + head * stride_ph + d[None, :] * stride_pd
    parts = tl.load(parts_at, mask=mask, other=0.0)
    out = tl.sum(parts * weights[:, None], 0) / whole
    at = out_ptr + token * stride_ot + head * stride_oh + d * stride_od
    tl.store(at, out.to(out_ptr.dtype.element_ty), mask=d < D)
    lse = tl.where(total > 0, shift + tl.log2(whole) * 0.6931471805599453, float("-inf"))
    tl.store(lse_ptr + token * stride_et + head * stride_eh, lse)
