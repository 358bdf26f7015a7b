"""The rules by which launches are cut."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from paged_cases import Case, make_batch

from abaci.backend.kernels.common.launching import Gpu, plan
from abaci.backend.kernels.common.tables.choose import choose_tiling, table_of
from abaci.backend.kernels.common.tables.row import Kernel
from abaci.backend.kernels.common.tiling import Tiling, choose_splits, count_blocks

DECODE = Tiling(16, 64, warps=4, stages=3)


def test_one_long_request_is_spread_over_the_device() -> None:
    assert choose_splits(programs=8, max_keys=8192, tiling=DECODE, processors=132) == 32


def test_a_full_device_does_without_splits() -> None:
    assert choose_splits(programs=512, max_keys=8192, tiling=DECODE, processors=132) == 1


def test_no_split_goes_without_a_tile() -> None:
    assert choose_splits(programs=8, max_keys=128, tiling=DECODE, processors=132) == 2


@given(st.integers(1, 2000), st.integers(1, 1 << 17), st.integers(1, 200))
def test_splits_are_a_power_of_two_and_never_overfill(programs: int, max_keys: int, processors: int) -> None:
    splits = choose_splits(programs, max_keys, DECODE, processors)
    assert splits & (splits - 1) == 0
    assert splits == 1 or programs * splits <= 2 * processors


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(1, 8), st.sampled_from([16, 32, 64, 128]))
def test_every_request_owns_enough_blocks(lens: list[int], group: int, block_m: int) -> None:
    """The rule that the kernel bisects: request b owns the blocks from `start[b] * G // BLOCK_M + b` on."""
    starts = [sum(lens[:b]) for b in range(len(lens) + 1)]
    owned = [start * group // block_m + b for b, start in enumerate(starts)]
    for b, rows in enumerate(length * group for length in lens):
        assert (owned[b + 1] - owned[b]) * block_m >= rows


def test_the_launch_covers_the_last_requests_blocks() -> None:
    batch = make_batch(Case(torch.float16, 7, 64, 16, [(9, 9), (5, 20)]))
    assert count_blocks(batch, 16) == (16 * 7 // 16 + 2, False)
    assert count_blocks(batch, 64) == (2, True)


@pytest.mark.parametrize("capability", [8, 9])
@pytest.mark.parametrize("rows", [1, 16, 17, 64, 65, 5000])
def test_blocks_hold_the_rows_of_small_requests(rows: int, capability: int) -> None:
    tiling = choose_tiling("dense", rows, 128, torch.bfloat16, capability)
    assert tiling.block_m >= min(rows, 64)


def test_a_window_limits_the_splits_not_the_tables_capacity() -> None:
    batch = make_batch(Case(torch.float16, 4, 64, 16, [(1, 2000)]))
    gpu = Gpu(capability=9, processors=132)
    assert plan(batch, gpu).splits == 32
    assert plan(batch, gpu, max_keys=200).splits == 4


@pytest.mark.parametrize("head_size", [128, 256])
@pytest.mark.parametrize("capability", [8, 9])
def test_prefill_by_turned_queries_leaves_each_thread_half(head_size: int, capability: int) -> None:
    """Of its registers: it computes on its queries first."""
    tiling = choose_tiling("dense", 5000, head_size, torch.bfloat16, capability)
    turned = choose_tiling("turned", 5000, head_size, torch.bfloat16, capability)
    assert 2 * turned.block_m * tiling.warps == tiling.block_m * turned.warps


@pytest.mark.parametrize("capability", [8, 9, 12])
@pytest.mark.parametrize("kernel", ["dense", "sinks", "turned", "relay", "estimate"])
def test_every_size_has_a_tiling(kernel: Kernel, capability: int) -> None:
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        for head_size in (1, 64, 80, 96, 128, 129, 256):
            for rows in (1, 8, 16, 17, 64, 1 << 20):
                tiling = choose_tiling(kernel, rows, head_size, dtype, capability)
                assert tiling.block_m % 16 == tiling.tile % 16 == 0


def test_a_head_that_no_row_holds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no tiling for dense with 4 rows, heads of 257 and torch\.float16"):
        choose_tiling("dense", 4, 257, torch.float16, capability=9)


@pytest.mark.parametrize("capability", [8, 9])
def test_no_row_of_a_table_is_hidden_by_those_before_it(capability: int) -> None:
    rows = table_of(capability).rows
    types = {16: torch.float16, 32: torch.float32}
    found = [choose_tiling(row.kernel, row.rows, row.head_size, types[row.bits], capability) for row in rows]
    assert found == [row.tiling for row in rows]


def test_tables_say_where_they_come_from() -> None:
    assert all("measured" in table_of(capability).origin for capability in (8, 9))
