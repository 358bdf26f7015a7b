"""A stored run as a readable transcript: the problem, every chain round by round, the votes and the decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console
from rich.text import Text

from abaci.cli.progress import STOP_WORDS
from abaci.cli.result import headline, spent
from abaci.cli.segments import Segment, SegmentKind, styled
from abaci.cli.terminal import MAX_WIDTH, clean, count, one_line
from abaci.cli.votes import bucket_lines
from abaci.traces.fold import fold_solution
from abaci.types import (
    DecisionMade,
    ExecutionStatus,
    Output,
    Program,
    Rationale,
    RunStarted,
    SampleMore,
    Solution,
    Step,
    TraceEvent,
    Trajectory,
)

INDENT = "  "


def print_transcript(console: Console, events: Sequence[TraceEvent]) -> None:
    """Print the run that `events` (at least one, in order) tell of."""
    width = min(console.width, MAX_WIDTH)
    for line in transcript_lines(events, width):
        console.print(line, width=width, soft_wrap=not console.is_terminal)


def transcript_lines(events: Sequence[TraceEvent], width: int) -> Iterator[Text]:
    """The lines of `print_transcript`, for a terminal of `width` columns."""
    solution = fold_solution(events)
    yield from _opening(events, solution)
    for trajectory in solution.trajectories:
        yield Text()
        yield from _chain_lines(trajectory)
    if solution.buckets:
        yield from _section("votes")
        yield from bucket_lines(solution.buckets, width)
    yield from _decisions(events)
    for warning in solution.warnings:
        yield Text(f"warning: {one_line(warning)}", style="yellow")
    yield from _section("result")
    yield headline(solution)
    yield Text(f"{solution.run_id} · {spent(solution)}", style="dim")


def _opening(events: Sequence[TraceEvent], solution: Solution) -> Iterator[Text]:
    yield Text(clean(solution.question).strip(), style="bold")
    when = datetime.fromtimestamp(events[0].at).strftime("%Y-%m-%d %H:%M:%S")
    first = events[0].body
    model = f" · {one_line(first.model)}" if isinstance(first, RunStarted) else ""
    style = first.options.get("style") if isinstance(first, RunStarted) else None
    yield Text(f"{when}{model}" + (f" · style {one_line(str(style))}" if style else ""), style="dim")


def _section(name: str) -> Iterator[Text]:
    yield Text()
    yield Text(name, style="bold cyan")


def _chain_lines(trajectory: Trajectory) -> Iterator[Text]:
    yield Text(f"chain {trajectory.chain + 1}", style="bold cyan")
    programs = 0
    for step in trajectory.steps:
        if isinstance(step, Program):
            programs += 1
            yield Text(f"{INDENT}program {programs}", style="dim")
        for line in _step_text(step).split("\n"):
            yield Text.assemble(INDENT, line) if line.plain else Text()
        note = _note(step)
        if note is not None:
            yield Text(f"{INDENT}{note}", style="yellow")
    yield Text.assemble(INDENT, _outcome(trajectory))


def _step_text(step: Step) -> Text:
    match step:
        case Rationale(text=text):
            return styled(Segment(SegmentKind.PROSE, text))
        case Program(code=code):
            return styled(Segment(SegmentKind.CODE, code))
        case Output(text=text):
            return styled(Segment(SegmentKind.OUTPUT, text))


def _note(step: Step) -> str | None:
    """What the model was not told about a program that did not end well."""
    if isinstance(step, Output) and step.execution.status is not ExecutionStatus.OK:
        return f"({step.execution.status.value} after {step.execution.duration_s:.1f} s)"
    return None


def _outcome(trajectory: Trajectory) -> Text:
    usage = trajectory.usage
    cost = f" · {count(usage.completion_tokens, 'token')} · {trajectory.duration_s:.1f} s"
    why = one_line(trajectory.error) if trajectory.error is not None else STOP_WORDS[trajectory.stop_reason]
    if trajectory.answer is None:
        return Text.assemble((f"– {why}", "red" if trajectory.error is not None else "yellow"), (cost, "dim"))
    return Text.assemble((f"✓ {one_line(trajectory.answer.raw)}", "green"), (f" · {why}{cost}", "dim"))


def _decisions(events: Sequence[TraceEvent]) -> Iterator[Text]:
    made = [event.body.decision for event in events if isinstance(event.body, DecisionMade)]
    if made:
        yield from _section("decision")
    for decision in made:
        more = f"{count(decision.samples, 'further chain')}: " if isinstance(decision, SampleMore) else ""
        yield Text(f"{more}{one_line(decision.reason)}")
