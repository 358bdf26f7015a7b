"""SparQ decode in two launches, or three: estimate the scores of all tokens and narrow them down; attend over the best.

What passes between the launches is contiguous scratch: for each key-value head one score a token, summed over its query
heads (WIDTH numbers), and lists of positions; for each query head and chunk of tokens one log-sum-exp of its estimates.
Scores and log-sum-exps of estimates are in base 2. Short requests skip the estimate, and attend over all their tokens.
"""

from __future__ import annotations

import triton
import triton.language as tl

from abaci.backend.kernels.common.tiles import attend_tile, block_rows, load_rows, load_tile, split_range, store_rows
from abaci.backend.kernels.sparq.selection import (
    estimate_growth,
    first_components,
    keep_best,
    narrowed,
    rank_components,
)


@triton.jit
def page_sums(
    sums_ptr, table_ptr, stride_tc, first_page, last_page, stride_sn, stride_sd, D: tl.constexpr, BLOCK_D: tl.constexpr
):  # fmt: skip
    """[BLOCK_D]: the values' sums of some pages of a request, added up."""
    total = tl.zeros([BLOCK_D], tl.float32)
    for page in range(first_page, last_page, 32):
        at = page + tl.arange(0, 32)
        is_page = at < last_page
        pages = tl.load(table_ptr + at.to(tl.int64) * stride_tc, mask=is_page, other=0).to(tl.int64)
        total += tl.sum(load_tile(sums_ptr, pages, pages * 0, is_page, stride_sn, 0, stride_sd, D, BLOCK_D), 0)
    return total


@triton.jit
def tail_sum(
    v_ptr, table_ptr, stride_tc, first, last, stride_vn, stride_vp, stride_vd,
    P: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """[BLOCK_D]: the sum of the values of a request's tokens from `first` to `last` (exclusive)."""
    total = tl.zeros([BLOCK_D], tl.float32)
    for start in range(first, last, 32):
        positions = start + tl.arange(0, 32)
        inside = positions < last
        pages = tl.load(table_ptr + (positions // P).to(tl.int64) * stride_tc, mask=inside, other=0).to(tl.int64)
        v = load_tile(v_ptr, pages, positions % P, inside, stride_vn, stride_vp, stride_vd, D, BLOCK_D)
        total += tl.sum(v.to(tl.float32), 0)
    return total


@triton.jit(do_not_specialize=["stride_tr", "whole_tokens", "local"])
def estimate_kernel(
    q_ptr, columns_ptr, v_ptr, sums_ptr, table_ptr, seq_lens_ptr, query_starts_ptr,
    scores_ptr, lse_ptr, v_parts_ptr, listed_ptr,
    scale_log2, whole_tokens, local,
    stride_qt, stride_qh, stride_qd, stride_cn, stride_ch, stride_cd, stride_cp,
    stride_vn, stride_vp, stride_vh, stride_vd, stride_sn, stride_sh, stride_sd, stride_tr, stride_tc,
    G: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, P: tl.constexpr, BLOCK_M: tl.constexpr,
    R: tl.constexpr, BLOCK_R: tl.constexpr, K: tl.constexpr, TILE: tl.constexpr, RUN: tl.constexpr,
    CHUNK: tl.constexpr, CHUNKS: tl.constexpr, WIDTH: tl.constexpr, LISTED: tl.constexpr, NARROWS: tl.constexpr,
):  # fmt: skip
    """Grid (B, Hk, CHUNKS): the estimates for one chunk of a long request's tokens, and its values' sum.

    RUN tokens from a multiple of it lie side by side in memory. With NARROWS the chunk lists its K best.
    """
    request = tl.program_id(0).to(tl.int64)
    kv_head = tl.program_id(1).to(tl.int64)
    chunk = tl.program_id(2)
    first_token = tl.load(query_starts_ptr + request)
    query_len = tl.load(query_starts_ptr + request + 1) - first_token
    seq_len = tl.load(seq_lens_ptr + request)
    start = chunk * CHUNK
    if (query_len == 0) | (seq_len <= whole_tokens) | (start >= seq_len):
        return

    _, tokens, heads, is_row = block_rows(0, first_token, 1, kv_head, G, BLOCK_M)
    d = tl.arange(0, BLOCK_D)
    q = load_rows(q_ptr, tokens, heads, d, is_row[:, None] & (d[None, :] < D), stride_qt, stride_qh, stride_qd)
    magnitudes, ranks = rank_components(q, D, BLOCK_D)
    factors = estimate_growth(magnitudes, ranks < R) * scale_log2
    components = first_components(ranks, D, BLOCK_D, BLOCK_R)
    exists = tl.arange(0, BLOCK_R) < R
    q = load_rows(q_ptr, tokens, heads, components, is_row[:, None] & exists[None, :], stride_qt, stride_qh, stride_qd)

    pair = request * tl.num_programs(1) + kv_head
    table_ptr += request * stride_tr
    rows_at = columns_ptr + kv_head * stride_ch + components.to(tl.int64) * stride_cd
    scores_ptr += pair * WIDTH
    end = tl.minimum(start + CHUNK, seq_len)
    highest = tl.full([BLOCK_M], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    for first in range(start, end, TILE):
        positions = first + tl.arange(0, TILE)
        inside = positions < end
        if P % TILE == 0:
            pages = tl.load(table_ptr + tl.cast(first // P, tl.int64) * stride_tc).to(tl.int64)
        else:
            pages = tl.load(table_ptr + (positions // P).to(tl.int64) * stride_tc, mask=inside, other=0).to(tl.int64)
        tokens_at = pages * stride_cn + (positions % P).to(tl.int64) * stride_cp
        if RUN > 1:
            tokens_at = tl.max_contiguous(tl.multiple_of(tokens_at, RUN), RUN)
        # Unmasked over tokens, or each would be loaded alone; whole pages are there, and only what is inside is used.
        at = rows_at[:, None] + tokens_at[None, :]
        if R < BLOCK_R:
            columns = tl.load(at, mask=exists[:, None], other=0.0, eviction_policy="evict_first")
        else:
            columns = tl.load(at, eviction_policy="evict_first")
        estimates = tl.dot(q, columns, input_precision="ieee") * factors[:, None]
        summed = tl.where(positions >= seq_len - local, float("inf"), tl.sum(estimates, 0))
        tl.store(scores_ptr + positions, summed, mask=inside)
        estimates = tl.where(inside[None, :], estimates, float("-inf"))
        raised = tl.maximum(highest, tl.max(estimates, 1))
        total = total * tl.exp2(highest - raised) + tl.sum(tl.exp2(estimates - raised[:, None]), 1)
        highest = raised
    lse_at = lse_ptr + (request * tl.num_programs(1) * G + heads) * CHUNKS + chunk
    tl.store(lse_at, highest + tl.log2(total), mask=is_row)

    # Pages count where they start; the chunk of the last token also counts those of a page that is not full.
    full_pages = seq_len // P
    last_page = tl.minimum(tl.cdiv(start + CHUNK, P), full_pages)
    sums_ptr += kv_head * stride_sh
    v_sum = page_sums(sums_ptr, table_ptr, stride_tc, tl.cdiv(start, P), last_page, stride_sn, stride_sd, D, BLOCK_D)
    if end == seq_len:
        v_ptr += kv_head * stride_vh
        v_sum += tail_sum(
            v_ptr, table_ptr, stride_tc, full_pages * P, seq_len, stride_vn, stride_vp, stride_vd, P, D, BLOCK_D
        )
    tl.store(v_parts_ptr + (pair * CHUNKS + chunk) * D + d, v_sum, mask=d < D)

    if NARROWS:
        # All of this chunk's scores are written before any is read again.
        tl.debug_barrier()
        keep_best(scores_ptr, scores_ptr, start, end, listed_ptr + pair * LISTED + chunk * K, 0, K, K, CHUNK, False)


@triton.jit
def candidates(
    count, K: tl.constexpr, CHUNK: tl.constexpr, GROUP: tl.constexpr, NARROWS: tl.constexpr, LEVEL: tl.constexpr
):  # fmt: skip
    """How many of `count` tokens are left when chunks (with NARROWS), then LEVEL times each GROUP, keep K of theirs."""
    if NARROWS:
        count = narrowed(count, CHUNK, K)
    for _ in tl.static_range(LEVEL):
        count = narrowed(count, GROUP, K)
    return count


@triton.jit(do_not_specialize=["whole_tokens"])
def narrow_kernel(
    scores_ptr, listed_ptr, kept_ptr, seq_lens_ptr, whole_tokens,
    K: tl.constexpr, WIDTH: tl.constexpr, LISTED: tl.constexpr, KEPT: tl.constexpr, CHUNK: tl.constexpr,
    GROUP: tl.constexpr, NARROWS: tl.constexpr, LEVEL: tl.constexpr,
):  # fmt: skip
    """Grid (B, Hk, groups): each GROUP of a long request's candidates, LEVEL times narrowed so, lists its K best."""
    request = tl.program_id(0).to(tl.int64)
    group = tl.program_id(2)
    seq_len = tl.load(seq_lens_ptr + request)
    count = candidates(seq_len, K, CHUNK, GROUP, NARROWS, LEVEL)
    if (seq_len <= whole_tokens) | (group * GROUP >= count):
        return
    pair = request * tl.num_programs(1) + tl.program_id(1)
    scores_ptr += pair * WIDTH
    listed_ptr += pair * LISTED
    kept_ptr += pair * KEPT + group * K
    keep_best(scores_ptr, listed_ptr, group * GROUP, count, kept_ptr, 0, K, K, GROUP, NARROWS or LEVEL > 0)


@triton.jit
def estimates_lse(lse_ptr, heads, is_row, chunks, CHUNKS: tl.constexpr, BLOCK_C: tl.constexpr):
    """For each row the log-sum-exp of the estimates of all tokens, from that of each of `chunks` chunks; 0 of none."""
    chunk = tl.arange(0, BLOCK_C)
    mask = is_row[:, None] & (chunk[None, :] < chunks)
    parts = tl.load(lse_ptr + heads[:, None] * CHUNKS + chunk[None, :], mask=mask, other=float("-inf"))
    highest = tl.max(parts, 1)
    highest = tl.where(highest == float("-inf"), 0.0, highest)
    total = tl.sum(tl.exp2(parts - highest[:, None]), 1)
    return highest + tl.log2(tl.where(total > 0, total, 1.0))


@triton.jit
def mean_values(v_parts_ptr, chunks, seq_len, D: tl.constexpr, BLOCK_D: tl.constexpr):
    """[BLOCK_D]: the mean of a request's values, from their sum over each of its `chunks` chunks; 0 of none."""
    d = tl.arange(0, BLOCK_D)
    total = tl.zeros([BLOCK_D], tl.float32)
    for first in range(0, chunks, 16):
        chunk = first + tl.arange(0, 16)
        mask = (chunk < chunks)[:, None] & (d[None, :] < D)
        total += tl.sum(tl.load(v_parts_ptr + chunk[:, None] * D + d[None, :], mask=mask, other=0.0), 0)
    return total / tl.maximum(seq_len, 1)


@triton.jit(do_not_specialize=["whole_tokens", "stride_tr", "stride_ls"])
def attend_kernel(
    q_ptr, k_ptr, v_ptr, table_ptr, seq_lens_ptr, query_starts_ptr,
    scores_ptr, estimate_lse_ptr, v_parts_ptr, listed_ptr, selected_ptr, out_ptr, lse_ptr, found_ptr,
    scale_log2, whole_tokens,
    stride_qt, stride_qh, stride_qd, stride_kn, stride_kp, stride_kh, stride_kd,
    stride_vn, stride_vp, stride_vh, stride_vd, stride_tr, stride_tc,
    stride_os, stride_ot, stride_oh, stride_od, stride_ls, stride_lt, stride_lh,
    G: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, P: tl.constexpr, BLOCK_M: tl.constexpr, TILE: tl.constexpr,
    SPLITS: tl.constexpr, R: tl.constexpr, K: tl.constexpr, CHUNK: tl.constexpr, CHUNKS: tl.constexpr,
    BLOCK_C: tl.constexpr, WIDTH: tl.constexpr, LISTED: tl.constexpr, GROUP: tl.constexpr, NARROWS: tl.constexpr,
    LEVEL: tl.constexpr, CANDIDATES: tl.constexpr,
):  # fmt: skip
    """Grid (B, Hk, SPLITS): attend over a split of the K best of CANDIDATES tokens at most, or of a short request's.

    With more than one split, what is found waits for `mix_splits_kernel`: the result over the split's tokens with its
    log-sum-exp, and the part of the estimates' softmax that they make up.
    """
    request = tl.program_id(0).to(tl.int64)
    kv_head = tl.program_id(1).to(tl.int64)
    split = tl.program_id(2)
    first_token = tl.load(query_starts_ptr + request)
    if tl.load(query_starts_ptr + request + 1) == first_token:
        return
    seq_len = tl.load(seq_lens_ptr + request)
    is_long = seq_len > whole_tokens
    first_tile, last_tile = split_range(tl.cdiv(tl.where(is_long, K, seq_len), TILE), split, SPLITS)
    first, last = first_tile * TILE, tl.minimum(last_tile * TILE, tl.where(is_long, K, seq_len))
    pair = request * tl.num_programs(1) + kv_head
    selected_ptr += pair * K
    if is_long:
        count = candidates(seq_len, K, CHUNK, GROUP, NARROWS, LEVEL)
        scores_ptr += pair * WIDTH
        listed_ptr += pair * LISTED
        keep_best(scores_ptr, listed_ptr, 0, count, selected_ptr, first, last, K, CANDIDATES, NARROWS or LEVEL > 0)
        # This split's positions are written before any is read.
        tl.debug_barrier()

    _, tokens, heads, is_row = block_rows(0, first_token, 1, kv_head, G, BLOCK_M)
    d = tl.arange(0, BLOCK_D)
    q = load_rows(q_ptr, tokens, heads, d, is_row[:, None] & (d[None, :] < D), stride_qt, stride_qh, stride_qd)
    magnitudes, ranks = rank_components(q, D, BLOCK_D)
    factors = estimate_growth(magnitudes, ranks < R) * scale_log2
    q_kept = tl.where((ranks < R)[None, :], q, 0.0).to(q.dtype)
    chunks = tl.where(is_long, tl.cdiv(seq_len, CHUNK), 0)
    estimate_lse_ptr += request * tl.num_programs(1) * G * CHUNKS
    estimate_lse = estimates_lse(estimate_lse_ptr, heads, is_row, chunks, CHUNKS, BLOCK_C)

    highest = tl.full([BLOCK_M], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    found = tl.zeros([BLOCK_M], tl.float32)
    values = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    table_ptr += request * stride_tr
    k_ptr += kv_head * stride_kh
    v_ptr += kv_head * stride_vh
    last_selected = tl.where(is_long, last, 0)
    for tile in range(first_tile, last_tile):
        at = tile * TILE + tl.arange(0, TILE)
        inside = at < last
        positions = tl.where(is_long, tl.load(selected_ptr + at, mask=at < last_selected, other=0), at)
        pages = tl.load(table_ptr + (positions // P).to(tl.int64) * stride_tc, mask=inside, other=0).to(tl.int64)
        k = load_tile(k_ptr, pages, positions % P, inside, stride_kn, stride_kp, stride_kd, D, BLOCK_D)
        v = load_tile(v_ptr, pages, positions % P, inside, stride_vn, stride_vp, stride_vd, D, BLOCK_D)
        estimates = tl.dot(q_kept, tl.trans(k), input_precision="ieee") * factors[:, None] - estimate_lse[:, None]
        found += tl.sum(tl.where(inside[None, :], tl.exp2(estimates), 0.0), 1)
        highest, total, values = attend_tile(q, k, v, inside[None, :], scale_log2, highest, total, values)
    found = tl.where(is_long, found, split == 0)

    if SPLITS == 1:
        mean = mean_values(v_parts_ptr + pair * CHUNKS * D, chunks, seq_len, D, BLOCK_D)
        out = values / tl.where(total > 0, total, 1.0)[:, None]
        out = found[:, None] * out + (1 - found)[:, None] * mean[None, :]
        at = out_ptr + tokens[:, None] * stride_ot + heads[:, None] * stride_oh + d[None, :].to(tl.int64) * stride_od
        tl.store(at, out.to(out_ptr.dtype.element_ty), mask=is_row[:, None] & (d[None, :] < D))
    else:
        out_ptr += split.to(tl.int64) * stride_os
        lse_ptr += split.to(tl.int64) * stride_ls
        store_rows(
            out_ptr, lse_ptr, tokens, heads, is_row, highest, total, values,
            stride_ot, stride_oh, stride_od, stride_lt, stride_lh, D, BLOCK_D,
        )  # fmt: skip
        found_ptr += split.to(tl.int64) * stride_ls
        tl.store(found_ptr + tokens * stride_lt + heads * stride_lh, found, mask=is_row)


@triton.jit(do_not_specialize=["whole_tokens", "stride_ls"])
def mix_splits_kernel(
    part_ptr, part_lse_ptr, found_ptr, v_parts_ptr, seq_lens_ptr, query_starts_ptr, out_ptr, whole_tokens,
    stride_ps, stride_pt, stride_ph, stride_pd, stride_ls, stride_lt, stride_lh, stride_ot, stride_oh, stride_od,
    G: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, SPLITS: tl.constexpr, CHUNK: tl.constexpr,
    CHUNKS: tl.constexpr,
):  # fmt: skip
    """Grid (B, Hq): the results over SPLITS sets of tokens become one; the mean of all values takes what is left."""
    request = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1).to(tl.int64)
    token = tl.load(query_starts_ptr + request).to(tl.int64)
    if tl.load(query_starts_ptr + request + 1) == token:
        return
    seq_len = tl.load(seq_lens_ptr + request)
    splits = tl.arange(0, SPLITS).to(tl.int64)
    d = tl.arange(0, BLOCK_D)
    at = splits * stride_ls + token * stride_lt + head * stride_lh
    lse = tl.load(part_lse_ptr + at)
    found = tl.sum(tl.load(found_ptr + at), 0)
    highest = tl.max(lse, 0)
    weights = tl.exp2((lse - tl.where(highest == float("-inf"), 0.0, highest)) * 1.4426950408889634)
    total = tl.sum(weights, 0)
    mask = (lse > float("-inf"))[:, None] & (d[None, :] < D)
    parts_at = part_ptr + splits[:, None] * stride_ps + token * stride_pt + head * stride_ph + d[None, :] * stride_pd
    out = tl.sum(tl.load(parts_at, mask=mask, other=0.0) * weights[:, None], 0) / tl.where(total > 0, total, 1.0)
    chunks = tl.where(seq_len > whole_tokens, tl.cdiv(seq_len, CHUNK), 0)
    pair = (request * tl.num_programs(1) + head) // G
    mean = mean_values(v_parts_ptr + pair * CHUNKS * D, chunks, seq_len, D, BLOCK_D)
    at = out_ptr + token * stride_ot + head * stride_oh + d.to(tl.int64) * stride_od
    tl.store(at, (found * out + (1 - found) * mean).to(out_ptr.dtype.element_ty), mask=d < D)
