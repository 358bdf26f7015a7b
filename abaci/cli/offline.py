"""`abaci replay`, `abaci grade` and `abaci vote`: measurements on files, without any model."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from abaci.cli.aggregators import aggregator_config, aggregator_options
from abaci.cli.command import Command, debug_option, json_option, print_json
from abaci.cli.interrupt import run_interruptibly
from abaci.cli.loading import load_in_background
from abaci.cli.report import grade_lines, replay_lines, vote_lines
from abaci.cli.rows import NO_ROWS, name_malformed
from abaci.cli.talk import OnProgress, choose_talk
from abaci.cli.terminal import results_console
from abaci.errors import InvalidInput
from abaci.evaluation.grade import GradeReport, grade_pairs
from abaci.evaluation.replay import ReplayOptions, ReplayReport, replay_trajectories
from abaci.evaluation.rows import MalformedRow, RowFile
from abaci.evaluation.vote import VoteReport, vote_pools
from abaci.grading.grader import Grader, Rules
from abaci.grading.verdict import Verdict
from abaci.sandbox.auto import open_sandbox
from abaci.sandbox.base import Sandbox
from abaci.settings import Settings
from abaci.types import JudgeCalled, Usage

T = TypeVar("T", ReplayReport, GradeReport, VoteReport)

file_argument = click.argument("file", type=click.Path(path_type=Path))


@click.command(cls=Command)
@file_argument
@click.option("--carry-state", is_flag=True, help="Run the programs of a trajectory in one session.")
@json_option
@debug_option
def replay(file: Path, carry_state: bool, is_json: bool) -> None:
    """Run the programs of published trajectories again.

    FILE holds trajectories as JSON lines, plain or gzipped. Every program that has a recorded output is executed, and
    its output, rendered as ToRA does, compared with the recorded one; the answers are extracted anew and graded.
    """

    async def measure(sandbox: Sandbox, grader: Grader, _: OnProgress) -> ReplayReport:
        return await replay_trajectories(file, sandbox, grader, ReplayOptions(carry_state=carry_state))

    report = _run(file, "replaying", measure)
    _show(report, report.trajectories, report.malformed_rows, replay_lines if not is_json else None)


@click.command(cls=Command)
@file_argument
@json_option
@debug_option
def grade(file: Path, is_json: bool) -> None:
    """Grade pairs of answers that are labelled equal or different.

    FILE holds pairs as JSON lines, plain or gzipped; the report says how often the grader agrees with the labels.
    """

    async def measure(_: Sandbox, grader: Grader, __: OnProgress) -> GradeReport:
        return await grade_pairs(file, grader)

    report = _run(file, "grading", measure)
    _show(report, report.pairs, report.malformed_rows, grade_lines if not is_json else None)


@click.command(cls=Command)
@file_argument
@aggregator_options(default="self_consistency")
@json_option
@debug_option
def vote(file: Path, aggregator: str, options: tuple[str, ...], is_json: bool) -> None:
    """Vote over pools of candidate answers.

    FILE holds questions with their recorded candidates as JSON lines, plain or gzipped; the report says how often the
    merged answer is right. Ties go to the answer of the earliest candidate. A candidate may have a text, for judges,
    and a mean_logprob, a tail_entropy or a reward, for weighted votes.
    """
    config = aggregator_config(aggregator, options)

    async def measure(sandbox: Sandbox, grader: Grader, on_progress: OnProgress) -> VoteReport:
        on_progress("loading abaci", None)
        await load_in_background("abaci.app")
        from abaci.app import make_aggregator, open_judge

        calls: list[JudgeCalled] = []
        settings = Settings.load()
        async with open_judge(settings, config, calls.append) as judge, Grader(sandbox) as comparer:
            report = await vote_pools(
                file, make_aggregator(config, comparer.are_equal, judge, settings.embedder), grader
            )
        return report.model_copy(update={"judge_usage": sum((call.usage for call in calls), start=Usage())})

    report = _run(file, "voting", measure)
    _show(report, report.questions, report.malformed_rows, vote_lines if not is_json else None)


class _CountingGrader(Grader):
    """A grader that tells how many comparisons it has made: the offline measurements make one for each row."""

    def __init__(self, sandbox: Sandbox, on_count: Callable[[int], None]) -> None:
        super().__init__(sandbox)
        self._on_count = on_count
        self._count = 0

    async def compare(self, gold: str, pred: str, rules: Rules | None = None) -> Verdict:
        """See `Grader.compare`."""
        return self._counted(await super().compare(gold, pred, rules or Rules()))

    async def compare_texts(self, gold: str, pred: str, rules: Rules | None = None) -> Verdict:
        """See `Grader.compare_texts`."""
        return self._counted(await super().compare_texts(gold, pred, rules or Rules()))

    def _counted(self, verdict: Verdict) -> Verdict:
        self._count += 1
        self._on_count(self._count)
        return verdict


Measure = Callable[[Sandbox, Grader, OnProgress], Coroutine[Any, Any, T]]


def _run(file: Path, stage: str, measure: Measure[T]) -> T:
    """What `measure` reports, with its progress on standard error.

    Raises:
        InvalidInput: the file cannot be opened, or holds no JSON object at all.
    """
    # Read once before anything starts: an unusable file is told at once, and the number of rows is known.
    reader = RowFile(file)
    rows = sum(1 for _ in reader)
    if rows == 0:
        name_malformed(reader.malformed)
        raise InvalidInput(NO_ROWS, field="file")
    return run_interruptibly(_measure(stage, rows, measure))


async def _measure(stage: str, rows: int, measure: Measure[T]) -> T:
    settings = Settings.load()
    async with choose_talk().working(f"{stage} ended") as on_progress:
        on_progress("warming the sandbox", None)
        async with open_sandbox(settings.sandbox) as sandbox:

            def on_count(count: int) -> None:
                on_progress(f"{stage} {rows:,} rows", min(1.0, count / max(1, rows)))

            async with _CountingGrader(sandbox, on_count) as grader:
                on_count(0)
                return await measure(sandbox, grader, on_progress)


def _show(
    report: T,
    used: int,
    malformed: Sequence[MalformedRow],
    make_lines: Callable[[T], Any] | None,
) -> None:
    """Print the report, as JSON without `make_lines`, and name the malformed rows on standard error.

    Raises:
        InvalidInput: no row at all could be used.
    """
    name_malformed(malformed)
    if used == 0:
        raise InvalidInput(NO_ROWS, field="file")
    if make_lines is None:
        print_json(report.model_dump(mode="json", by_alias=True))
        return
    console = results_console()
    for line in make_lines(report):
        console.print(line, soft_wrap=True)
