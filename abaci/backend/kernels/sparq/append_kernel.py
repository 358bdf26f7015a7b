"""New tokens go into the pages, into the keys' second copy, and into the sums of the pages that they fill."""

from __future__ import annotations

import triton
import triton.language as tl

from abaci.backend.kernels.common.tiles import load_rows, load_tile, locate_block


@triton.jit(do_not_specialize=["requests", "stride_tr"])
def append_kernel(
    k_ptr, v_ptr, k_pages_ptr, v_pages_ptr, columns_ptr, sums_ptr, table_ptr, seq_lens_ptr, query_starts_ptr, requests,
    stride_kt, stride_kh, stride_kd, stride_vt, stride_vh, stride_vd,
    stride_kn, stride_kp, stride_kph, stride_kpd, stride_vn, stride_vp, stride_vph, stride_vpd,
    stride_cn, stride_ch, stride_cd, stride_cp, stride_sn, stride_sh, stride_sd, stride_tr, stride_tc,
    D: tl.constexpr, BLOCK_D: tl.constexpr, P: tl.constexpr, BLOCK: tl.constexpr, ONE_BLOCK: tl.constexpr,
    HAS_COLUMNS: tl.constexpr,
):  # fmt: skip
    """Grid (blocks, Hk): BLOCK new tokens of one request, and the sums of the pages whose last token is among them."""
    head = tl.program_id(1).to(tl.int64)
    request, first = locate_block(tl.program_id(0), query_starts_ptr, requests, 1, BLOCK, ONE_BLOCK)
    first_token = tl.load(query_starts_ptr + request)
    query_len = tl.load(query_starts_ptr + request + 1) - first_token
    if first >= query_len:
        return
    # Where the request's new tokens begin; before the first token if it has too few for its queries.
    seq_len = tl.load(seq_lens_ptr + request)
    written = seq_len - query_len
    d = tl.arange(0, BLOCK_D)
    new = first + tl.arange(0, BLOCK)
    positions = written + new
    inside = (new < query_len) & (positions >= 0)
    mask = inside[:, None] & (d[None, :] < D)
    tokens = (first_token + new).to(tl.int64)
    k = load_rows(k_ptr, tokens, new * 0 + head, d, mask, stride_kt, stride_kh, stride_kd)
    v = load_rows(v_ptr, tokens, new * 0 + head, d, mask, stride_vt, stride_vh, stride_vd)
    table_ptr += request.to(tl.int64) * stride_tr
    pages = tl.load(table_ptr + (positions // P).to(tl.int64) * stride_tc, mask=inside, other=0).to(tl.int64)
    slots = (positions % P).to(tl.int64)
    across = d[None, :].to(tl.int64)
    k_at = (pages * stride_kn + slots * stride_kp + head * stride_kph)[:, None] + across * stride_kpd
    v_at = (pages * stride_vn + slots * stride_vp + head * stride_vph)[:, None] + across * stride_vpd
    tl.store(k_pages_ptr + k_at, k, mask=mask)
    tl.store(v_pages_ptr + v_at, v, mask=mask)
    if HAS_COLUMNS:
        c_at = (pages * stride_cn + slots * stride_cp + head * stride_ch)[:, None] + across * stride_cd
        tl.store(columns_ptr + c_at, k, mask=mask)

    end = written + tl.minimum(first + BLOCK, query_len)
    for page in range(tl.maximum(written + first, 0) // P, tl.maximum(end, 0) // P):
        at = tl.load(table_ptr + tl.cast(page, tl.int64) * stride_tc).to(tl.int64)
        total = tl.zeros([BLOCK_D], tl.float32)
        for slot in range(0, P, 16):
            slots_here = slot + tl.arange(0, 16)
            steps = page * P + slots_here - written
            # Another program may be writing the new ones: they are taken from where they come.
            is_new = (slots_here < P) & (steps >= 0)
            is_old = (slots_here < P) & (steps < 0)
            news = load_rows(
                v_ptr, (first_token + steps).to(tl.int64), steps * 0 + head, d, is_new[:, None] & (d[None, :] < D),
                stride_vt, stride_vh, stride_vd,
            )  # fmt: skip
            olds = load_tile(
                v_pages_ptr + head * stride_vph, at, slots_here, is_old, stride_vn, stride_vp, stride_vpd, D, BLOCK_D
            )
            total += tl.sum(news.to(tl.float32) + olds.to(tl.float32), 0)
        tl.store(sums_ptr + at * stride_sn + head * stride_sh + d.to(tl.int64) * stride_sd, total, mask=d < D)
