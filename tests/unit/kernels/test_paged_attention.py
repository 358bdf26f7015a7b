"""The dense kernel, interpreted, against attention written out in float64."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from paged_cases import Case, assert_attends, far_away, far_columns, make_batch, poisoned, scattered, strided

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.launching import Plan
from abaci.backend.kernels.common.op import launch
from abaci.backend.kernels.common.reference import paged_attention_reference
from abaci.backend.kernels.common.tiling import Tiling

BF16, FP16, FP32 = torch.bfloat16, torch.float16, torch.float32
SCALE = 0.125

DECODE = [
    (Case(BF16, 4, 128, 16, [(1, 1), (1, 33)], kv_heads=2), 1, 64),
    (Case(FP16, 7, 64, 32, [(1, 31), (1, 32), (1, 65)]), 4, 32),
    (Case(FP32, 1, 80, 16, [(1, 17), (0, 0), (1, 0)]), 8, 16),
    (Case(BF16, 8, 96, 64, [(1, 63), (1, 130)]), 2, 32),
    (Case(FP16, 3, 256, 256, [(1, 257)]), 1, 32),
]
PREFILL = [
    (Case(FP32, 7, 64, 64, [(3, 3), (0, 0), (4, 70)]), 1, 32),
    (Case(BF16, 2, 256, 48, [(5, 97)], kv_heads=2), 2, 32),
    (Case(FP16, 6, 128, 16, [(1, 20), (9, 9)]), 1, 16),
    (Case(BF16, 5, 80, 128, [(7, 128), (2, 2)]), 1, 64),
]


def attend(batch: PagedBatch, splits: int, tile: int, block_m: int = 16, kv_starts: torch.Tensor | None = None) -> None:
    result = poisoned(batch)
    launch(batch, SCALE, kv_starts, result, Plan(Tiling(block_m, tile, warps=4, stages=1), splits))
    assert_attends(result, paged_attention_reference(batch, SCALE, kv_starts), batch)


@pytest.mark.parametrize(("case", "splits", "tile"), [*DECODE, *PREFILL], ids=str)
def test_kernel_gives_attention_whatever_the_shape(case: Case, splits: int, tile: int) -> None:
    attend(make_batch(case), splits, tile)


def test_larger_blocks_of_rows_give_the_same() -> None:
    attend(make_batch(Case(FP16, 4, 64, 16, [(20, 40), (1, 7), (17, 17)])), splits=1, tile=32, block_m=64)


@pytest.mark.parametrize("splits", [1, 4])
def test_keys_before_a_request_starts_to_attend_are_left_out(splits: int) -> None:
    """The whole of it is left out for the last request: its row is 0 and its log-sum-exp -inf."""
    batch = make_batch(Case(FP32, 4, 64, 16, [(1, 60), (3, 40), (1, 33)]))
    starts = torch.tensor([21, 38, 33], dtype=torch.int32)
    result = poisoned(batch)
    launch(batch, SCALE, starts, result, Plan(Tiling(16, 16, warps=4, stages=1), splits))
    assert_attends(result, paged_attention_reference(batch, SCALE, starts), batch)
    assert (result.out[4] == 0).all()
    assert (result.lse[4] == -torch.inf).all()


def test_two_ranges_of_keys_merge_to_the_whole() -> None:
    """The log-sum-exp is what makes attention over parts of the keys add up."""
    batch = make_batch(Case(FP32, 2, 64, 16, [(1, 48)]))
    start = torch.tensor([32], dtype=torch.int32)
    late = paged_attention_reference(batch, SCALE, start)
    early = paged_attention_reference(replace(batch, seq_lens=start), SCALE)
    whole = paged_attention_reference(batch, SCALE)
    share = torch.sigmoid(late.lse - early.lse)[..., None]
    torch.testing.assert_close((share * late.out + (1 - share) * early.out)[:1], whole.out[:1])
    torch.testing.assert_close(torch.logaddexp(late.lse, early.lse)[:1], whole.lse[:1])


@pytest.mark.parametrize("splits", [1, 2])
def test_strides_of_any_order_are_followed(splits: int) -> None:
    batch = make_batch(Case(FP32, 2, 64, 16, [(2, 20), (1, 9)], kv_heads=2))
    result = scattered(batch)
    launch(strided(batch), SCALE, None, result, Plan(Tiling(16, 16, warps=4, stages=1), splits))
    assert_attends(result, paged_attention_reference(batch, SCALE), batch)


def test_pages_past_two_to_the_31_elements_are_found() -> None:
    attend(far_away(make_batch(Case(FP16, 4, 64, 16, [(1, 16)]))), splits=1, tile=16)


@pytest.mark.parametrize("tile", [16, 32])
def test_tables_past_two_to_the_31_numbers_are_followed(tile: int) -> None:
    """Where a page holds a tile, and where it does not."""
    attend(far_columns(make_batch(Case(FP32, 4, 64, 16, [(1, 60)]))), splits=1, tile=tile)


def test_nobody_to_answer_is_no_launch() -> None:
    empty = PagedBatch(
        torch.empty(0, 4, 64),
        torch.empty(1, 16, 4, 64),
        torch.empty(1, 16, 4, 64),
        torch.empty(0, 1, dtype=torch.int32),
        torch.empty(0, dtype=torch.int32),
        torch.zeros(1, dtype=torch.int32),
        max_query_len=1,
    )
    launch(empty, SCALE, None, poisoned(empty), Plan(Tiling(16, 16, warps=4, stages=1), splits=2))
