"""`abaci trace`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import click
from rich.text import Text

from abaci.cli.command import Command, debug_option, json_option, print_json
from abaci.cli.interrupt import run_interruptibly
from abaci.cli.loading import load_traces
from abaci.cli.run_ids import check_run_id
from abaci.cli.terminal import one_line, results_console
from abaci.cli.transcript import print_transcript
from abaci.settings import Settings
from abaci.traces.fold import fold_solution, in_order
from abaci.types import RunStatus, RunSummary, TraceEvent

ANSWER_CHARS: Final = 12
MIN_QUESTION_ROOM: Final = 24

STATUS_STYLES: Final = {
    RunStatus.SOLVED: "green",
    RunStatus.FAILED: "red",
    RunStatus.ABSTAINED: "yellow",
    RunStatus.CANCELLED: "yellow",
    RunStatus.RUNNING: "cyan",
}


@click.command(cls=Command)
@click.argument("run_id", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Runs to list at most.")
@json_option
@debug_option
def trace(run_id: str | None, limit: int, is_json: bool) -> None:
    """Show a stored run, or list the stored runs.

    Without RUN_ID: the stored runs, newest first; with --json as {"runs": [...]}. With RUN_ID: what happened in that
    run, chain by chain; with --json its solution.
    """
    if run_id is not None:
        check_run_id(run_id)
    settings = Settings.load()
    if run_id is None:
        runs = run_interruptibly(_list(settings, limit))
        _show_runs(runs, is_json=is_json)
        return
    events = run_interruptibly(_read(settings, run_id))
    if is_json:
        print_json(fold_solution(events))
    else:
        print_transcript(results_console(), in_order(events))


async def _list(settings: Settings, limit: int) -> list[RunSummary]:
    async with await load_traces(settings) as store:
        return await store.runs(limit)


async def _read(settings: Settings, run_id: str) -> list[TraceEvent]:
    async with await load_traces(settings) as store:
        return [event async for event in store.read(run_id)]


def _show_runs(runs: list[RunSummary], *, is_json: bool) -> None:
    if is_json:
        print_json({"runs": [run.model_dump(mode="json") for run in runs]})
    elif not runs:
        click.echo("no runs are stored yet: `abaci solve` makes one", err=True)
    else:
        console = results_console()
        for run in runs:
            # A file or a pipe has no width: a line is a run, whole.
            for line in _run_lines(run, console.width if console.is_terminal else None):
                console.print(line, soft_wrap=True)


def _run_lines(run: RunSummary, width: int | None) -> Iterator[Text]:
    """One line about `run`, or two where the question would find no room."""
    answer = one_line(run.answer, ANSWER_CHARS) if run.answer is not None else ""
    sure = "" if run.confidence is None or run.answer is None else f"{run.confidence:.0%}"
    took = "" if run.duration_s is None else f"{run.duration_s:.1f} s"
    line = Text.assemble(
        run.run_id,
        (f"  {_when(run.started_at):>16}", "dim"),
        (f"  {run.status.value:<9}", STATUS_STYLES[run.status]),
        (f" {took:>8}", "dim"),
        (f"  {answer}" + " " * (ANSWER_CHARS - Text(answer).cell_len), "bold"),
        (f" {sure:>4}", "dim"),
    )
    room = None if width is None else width - line.cell_len - 3
    if room is None or room >= MIN_QUESTION_ROOM:
        yield line.append(f"  {one_line(run.question, room)}")
    else:
        line.rstrip()
        yield line
        yield Text(f"  {one_line(run.question, max(8, (width or 0) - 3))}", style="dim")


def _when(at: float) -> str:
    """A Unix time in local time; the day only where it is not today."""
    moment = datetime.fromtimestamp(at)
    is_today = moment.date() == datetime.fromtimestamp(time.time()).date()
    return moment.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M")
