"""The kernel that writes new tokens for SparQ, interpreted, against the same in plain torch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from paged_cases import Case, far_columns, make_batch

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.sparq.launching import append
from abaci.backend.kernels.sparq.policy import SparqIndex, make_index, transposed_pages
from abaci.backend.kernels.sparq.reference import append_tokens_reference

BF16, FP16, FP32 = torch.bfloat16, torch.float16, torch.float32


def nan_index(batch: PagedBatch) -> SparqIndex:
    index = make_index(batch.k_pages)
    assert index.columns is not None
    index.v_sums.fill_(torch.nan)
    index.columns.fill_(torch.nan)
    return index


def copied(batch: PagedBatch) -> PagedBatch:
    return replace(batch, k_pages=batch.k_pages.clone(), v_pages=batch.v_pages.clone())


def rows(batch: PagedBatch, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """New keys and values; those of padding are NaN."""
    size = (2, batch.tokens, batch.kv_heads, batch.head_size)
    new = torch.randn(size, generator=torch.Generator().manual_seed(seed)).to(batch.q.dtype)
    new[:, int(batch.query_starts[-1]) :] = torch.nan
    return new[0], new[1]


def assert_same(batch: PagedBatch, index: SparqIndex, other: PagedBatch, expected: SparqIndex) -> None:
    """Bit for bit, untouched NaN included; sums within float32's rounding."""
    assert index.columns is not None
    for found, right in (
        (batch.k_pages, other.k_pages),
        (batch.v_pages, other.v_pages),
        (index.columns, expected.columns),
    ):
        torch.testing.assert_close(found, right, atol=0, rtol=0, equal_nan=True)
    torch.testing.assert_close(index.v_sums, expected.v_sums, atol=1e-4, rtol=1e-5, equal_nan=True)


SHAPES = [
    Case(BF16, 4, 128, 16, [(1, 16), (1, 5), (0, 0), (1, 33)], kv_heads=2),
    Case(FP16, 7, 80, 32, [(20, 20), (5, 70), (1, 32)]),
    Case(FP32, 1, 64, 16, [(70, 100), (2, 17), (1, 0)]),
    Case(BF16, 2, 96, 256, [(130, 256)]),
    Case(FP16, 1, 256, 48, [(60, 97), (1, 48)]),
]


@pytest.mark.parametrize("case", SHAPES, ids=str)
def test_tokens_go_where_they_belong_and_full_pages_are_summed(case: Case) -> None:
    batch = make_batch(case)
    other, index, expected = copied(batch), nan_index(batch), nan_index(batch)
    k, v = rows(batch)
    append(batch, k, v, index)
    append_tokens_reference(other, k, v, expected)
    assert_same(batch, index, other, expected)
    before = [max(tokens - queries, 0) // case.page_size for queries, tokens in case.requests]
    full = sum(tokens // case.page_size for _, tokens in case.requests) - sum(before)
    assert (~index.v_sums.isnan()).sum() == full * case.kv_heads * case.head_size


def test_tokens_one_at_a_time_leave_what_a_prompt_leaves() -> None:
    batch = make_batch(Case(FP32, 2, 64, 16, [(20, 20)]))
    other, index, expected = copied(batch), nan_index(batch), nan_index(batch)
    k, v = rows(batch)
    append(other, k, v, expected)
    for token in range(20):
        step = replace(
            batch,
            q=batch.q[:1],
            seq_lens=torch.tensor([token + 1], dtype=torch.int32),
            query_starts=torch.tensor([0, 1], dtype=torch.int32),
            max_query_len=1,
        )
        append(step, k[token : token + 1], v[token : token + 1], index)
    assert_same(batch, index, other, expected)


def test_tokens_written_again_replace_what_was_there() -> None:
    """As after a refused draft: the page's sum as well."""
    batch = make_batch(Case(FP32, 2, 64, 16, [(3, 17)]))
    other, index, expected = copied(batch), nan_index(batch), nan_index(batch)
    append(batch, *rows(batch, seed=2), index)
    append_tokens_reference(other, *rows(batch, seed=2), expected)
    append(batch, *rows(batch), index)
    append_tokens_reference(other, *rows(batch), expected)
    assert_same(batch, index, other, expected)


def test_keys_stored_once_are_written_with_tokens_innermost() -> None:
    batch = make_batch(Case(FP16, 2, 64, 16, [(3, 17)], kv_heads=2))
    pages = transposed_pages(tuple(batch.k_pages.shape), FP16, batch.q.device)
    assert pages.stride(1) == 1
    pages.copy_(batch.k_pages)
    once, other = replace(copied(batch), k_pages=pages), copied(batch)
    k, v = rows(batch)
    append(once, k, v, SparqIndex(nan_index(batch).v_sums))
    append_tokens_reference(other, k, v, nan_index(batch))
    torch.testing.assert_close(once.k_pages, other.k_pages, atol=0, rtol=0, equal_nan=True)


def test_rows_of_any_stride_are_read() -> None:
    batch = make_batch(Case(FP16, 2, 64, 16, [(18, 20), (1, 3)], kv_heads=2))
    other, index, expected = copied(batch), nan_index(batch), nan_index(batch)
    k, v = rows(batch)
    askew = torch.stack((k, v), -1).permute(2, 0, 1, 3).contiguous().permute(1, 2, 0, 3)
    append(batch, askew[..., 0], askew[..., 1], index)
    append_tokens_reference(other, k, v, expected)
    assert_same(batch, index, other, expected)


def test_tables_past_two_to_the_31_numbers_are_followed() -> None:
    """By what is written, and by the sums of the pages that it fills."""
    batch = make_batch(Case(FP32, 2, 64, 16, [(20, 66)]))
    k, v = rows(batch)
    found, expected = copied(batch), copied(batch)
    index, right = nan_index(batch), nan_index(batch)
    append(far_columns(found), k, v, index)
    append_tokens_reference(expected, k, v, right)
    assert_same(found, index, expected, right)
