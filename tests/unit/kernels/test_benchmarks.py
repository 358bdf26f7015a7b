"""What the kernels' benchmark decides, prepares and writes, without a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import kernels
import kernels_bars
import kernels_dense
import pytest
import torch
from kernels_bars import OURS, PLAIN, RELAY_CASE, SPARQ_CASE, rooflines, verdicts
from kernels_baselines import AnyCase, Call, cascade_levels, page_lists
from kernels_dense import Case, dense_cases, measured_prefills
from kernels_dense import make_batch as make_dense_batch
from kernels_relay import SharedCase, make_shared_batch, shared_cases
from kernels_tune import Sizes, call_of, make_batch, neighbours, path_of, render, sizes_of

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.launching import Gpu
from abaci.backend.kernels.common.reference import paged_attention_reference
from abaci.backend.kernels.common.tables.choose import table_of
from abaci.backend.kernels.common.tables.row import ANY, Row
from abaci.backend.kernels.common.tiling import Tiling
from abaci.backend.kernels.sink.policy import SinkWindow
from abaci.backend.kernels.sink.reference import sink_attention_reference

CPU = torch.device("cpu")
SCRIPT = Path(kernels.__file__)


def test_the_script_goes_through_every_kind_of_case_and_says_no_time() -> None:
    # An engine that other tests ran in this process may have switched compilation off, also for its children.
    env = {name: value for name, value in os.environ.items() if name != "TORCH_COMPILE_DISABLE"}
    done = subprocess.run(
        [sys.executable, SCRIPT, "--self-check"], env=env, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stderr
    lines = [line.rsplit(maxsplit=1) for line in done.stdout.splitlines()]
    assert {last for _, last in lines} == {"right"}
    for kind in ("relay", "dense", "sinks", "SparQ"):
        assert sum(kind in line.split(",")[0] for line, _ in lines) >= 2
    # Prompts, whole and in part.
    for prefill in ("dense, 2 × 70 of 70", "dense, 1 × 270 of 300", "sinks + window of 64, 1 × 100 of 100"):
        timed = {line.split(prefill)[1].strip() for line, _ in lines if prefill in line}
        assert timed >= {OURS, "torch SDPA"}
    assert "FAILED" not in done.stderr


def test_without_a_gpu_nothing_is_measured(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["kernels.py", "--json"])
    assert kernels.main() == 2
    assert capsys.readouterr().out == ""


def test_a_wrong_or_failing_baseline_is_a_line_and_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    case = kernels.small_cases(CPU)[1]

    def wrong(_case: AnyCase, batch: PagedBatch) -> Call:
        return lambda: torch.zeros_like(batch.q)

    def failing(_case: AnyCase, _batch: PagedBatch) -> Call:
        raise NotImplementedError("not for this card")

    timings = kernels.measure(case, CPU, kernels.wall_times_us, {"wrong": wrong, "failing": failing})
    assert timings is not None
    assert [timing.kernel for timing in timings] == [OURS]
    said = capsys.readouterr().err
    assert "wrong FAILED, not timed: ArithmeticError" in said
    assert "failing FAILED, not timed: NotImplementedError: not for this card" in said


def test_answers_are_compared_by_their_own_size() -> None:
    """Attention over 32,768 random tokens is a hundredth of a value: zeros must not pass for it."""
    right = 0.009 * torch.randn(64, 32, 128, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert kernels.is_close(right.bfloat16()[:, None], right)
    assert not kernels.is_close(torch.zeros_like(right), right)
    assert not kernels.is_close(right * 1.05, right)
    assert not kernels.is_close(right.where(right < 0.03, torch.nan), right)


def test_each_querys_answer_is_compared_by_its_own_size() -> None:
    """A prompt's first query may see one value, its last one the mean of thousands."""
    sizes = torch.tensor([1.0] * 63 + [0.001], dtype=torch.float64)[:, None, None]
    right = sizes * torch.randn(64, 32, 128, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert kernels.is_close(right.bfloat16(), right)
    assert not kernels.is_close(right.where(sizes == 1, 0), right)


def test_float64_answers_a_prompt_in_parts_as_it_does_at_once() -> None:
    """The last part is shorter, and each request has its own."""
    policy = SinkWindow(4, 100)
    case = Case("small", 2, 1, 2, 600, policy, queries=530)
    batch = make_dense_batch(case, CPU)
    assert [part.max_query_len for part in kernels.parts(batch)] == [256, 256, 18]
    for rule, right in ((None, paged_attention_reference), (policy, sink_attention_reference)):
        rules = () if rule is None else (rule,)
        torch.testing.assert_close(kernels.answer(case, batch, rule), right(batch, *rules, 128**-0.5).out)


def test_a_prefill_is_judged_by_its_roofline_and_all_else_by_a_copy() -> None:
    decode, prefill = Case("small", 32, 8, 1, 8192), Case("small", 32, 8, 1, 8192, queries=8192)
    timing = kernels.Timing(OURS, 1000.0, 990.0, 1010.0, 2.15)
    assert kernels.reached(decode, timing, copy=4.3e12) == ("copy", pytest.approx(0.5))
    roofline = kernels_dense.estimate(prefill).roofline_us
    assert 500 < roofline < 1000
    assert kernels.reached(prefill, timing, copy=4.3e12) == ("roofline", pytest.approx(roofline / 1000))


def test_prefills_that_are_measured_are_llamas_with_and_without_a_window() -> None:
    sizes = [(case.policy is None, case.queries, case.tokens) for case in measured_prefills(CPU)]
    prompts = [(2048, 2048), (8192, 8192), (2048, 32768)]
    assert sizes == [(is_dense, *prompt) for is_dense in (True, False) for prompt in prompts]


FEW = "Llama-3-8B relay, 4 × (2048 + 0 + 256)"


def measured(**times: float) -> kernels_bars.Medians:
    """Medians by which every bar holds, and those of RELAY_CASE and SPARQ_CASE as given."""
    found: kernels_bars.Medians = {
        str(case): {OURS: 20.0, PLAIN: 40.0 if kernels_bars.is_shared(case) else 20.0} for case in shared_cases()
    }
    found |= {str(case): {OURS: case.read_bytes / 4e6} for case in dense_cases(CPU)}
    found[SPARQ_CASE] = {OURS: 40.0, PLAIN: 270.0}
    found[times.pop("case", RELAY_CASE)] |= times
    return found


def test_bars_hold_where_times_are_short_enough() -> None:
    judged = list(verdicts(measured(), copy_bytes_per_s=4.3e12))
    assert all(verdict.holds for verdict in judged)
    assert len(judged) == len(list(rooflines()))


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({OURS: 23.1}, [f"{RELAY_CASE}, us"]),
        ({"FlashInfer cascade": 19.0}, [f"{RELAY_CASE}, of FlashInfer cascade"]),
        ({"abaci search": 1.0}, []),
        ({"case": SPARQ_CASE, OURS: 46.0}, [f"{SPARQ_CASE}, us"]),
        ({"case": SPARQ_CASE, PLAIN: 199.0}, [f"{SPARQ_CASE}, times dense"]),
        (
            {"case": "Llama-3-8B relay, 2 × (2048 + 0 + 256)", OURS: 20.7},
            ["Llama-3-8B relay, 2 × (2048 + 0 + 256), of dense"],
        ),
        # Few share, and no more is asked than that it pays.
        ({"case": FEW, OURS: 40.1}, [f"{FEW}, of dense"]),
        ({"case": FEW, "FlashInfer cascade": 19.0}, []),
        ({"case": "Llama-3-8B dense, 1 × 32768", OURS: 35.0}, ["Llama-3-8B dense, 1 × 32768, of a copy"]),
        ({"case": "Llama-3-8B dense, 1 × 1024", OURS: 35.0}, []),
    ],
)
def test_a_bar_that_is_missed_is_named(changes: dict[str, float], failed: list[str]) -> None:
    judged = verdicts(measured(**changes), copy_bytes_per_s=4.3e12)
    assert [verdict.bar for verdict in judged if not verdict.holds] == failed


def test_a_bar_whose_baseline_failed_is_missed() -> None:
    off = "Llama-3-8B relay, 2 × (2048 + 0 + 256)"
    lost = {case: {name: us for name, us in found.items() if name != PLAIN} for case, found in measured().items()}
    failed = [verdict.bar for verdict in verdicts(lost, copy_bytes_per_s=4.3e12) if not verdict.holds]
    assert {f"{SPARQ_CASE}, times dense", f"{RELAY_CASE}, of {PLAIN}", f"{off}, of dense"} <= set(failed)


def test_no_bar_asks_for_more_than_a_copy_reaches() -> None:
    assert all(megabytes * 1e12 / 4.3e12 < bar_us for _, megabytes, bar_us in rooflines())


def test_a_cascades_levels_are_the_pages_of_the_block_table() -> None:
    """Of each query, in order: the prompt's, its problem's, its own; nothing twice, and every token."""
    case = SharedCase("small", 4, 2, 20, 64, 32, 40)
    batch = make_shared_batch(case, CPU)
    pages: list[list[int]] = [[] for _ in range(case.requests)]
    tokens = [0] * case.requests
    for queries, starts, listed, last in cascade_levels(case, batch):
        for group in range(len(queries) - 1):
            found = listed[starts[group] : starts[group + 1]].tolist()
            for query in range(queries[group], queries[group + 1]):
                pages[query] += found
                tokens[query] += (len(found) - 1) * batch.page_size + int(last[group])
    assert pages == batch.block_table.tolist()
    assert tokens == [case.tokens] * case.requests


def test_page_lists_say_how_full_the_last_page_is() -> None:
    batch = make_shared_batch(SharedCase("small", 4, 2, 3, 32, 0, 16), CPU)
    starts, listed, last = page_lists(batch, batch.block_table, 37)
    assert (starts.tolist(), last.tolist()) == ([0, 3, 6, 9], [5, 5, 5])
    assert listed.tolist() == batch.block_table.flatten().tolist()


@pytest.mark.parametrize("capability", [8, 9])
def test_tables_are_as_tuning_writes_them(capability: int) -> None:
    assert path_of(capability).read_text() == render(table_of(capability), capability)


@pytest.mark.parametrize("capability", [8, 9])
def test_neighbours_differ_in_one_number(capability: int) -> None:
    for row in table_of(capability).rows:
        found = list(neighbours(row))
        assert len(found) == len(set(found)) >= 4
        for tiling in found:
            names = ("block_m", "tile", "warps", "stages", "registers")
            assert sum(getattr(tiling, name) != getattr(row.tiling, name) for name in names) == 1


def test_rows_are_measured_on_batches_that_take_them() -> None:
    for row in table_of(9).rows:
        sizes = sizes_of(row)
        if row.kernel in ("dense", "sinks", "turned") and row.rows != ANY:
            assert sizes.queries * sizes.group <= row.rows


@pytest.mark.parametrize("kernel", ["dense", "sinks", "turned", "relay", "estimate"])
def test_what_is_tuned_gives_the_same_by_every_tiling(kernel: str) -> None:
    row = Row(kernel, 32, 64, 16, Tiling(16, 16, warps=4, stages=2))
    batch = make_batch(row, Sizes(2, 192, 1, 2, shared=32, page_size=64, kv_heads=1), CPU)
    other = replace(row, tiling=Tiling(16, 32, warps=4, stages=2))
    first, second = (call_of(each, batch, Gpu(9, 1))().clone() for each in (row, other))
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-5)
    assert first.abs().max() > 0.01
