"""A solution as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from abaci.cli.exits import EXIT_FAILED, EXIT_OK
from abaci.cli.segments import split_fences, styled
from abaci.cli.terminal import MAX_WIDTH, count, one_line
from abaci.cli.votes import bucket_lines
from abaci.types import RunStatus, Solution


def print_solution(console: Console, solution: Solution) -> None:
    """The answer alone on the first line, then how sure it is, why, and the run's id.

    A long answer, which is its own explanation, is there once, with its lines.
    """
    width = min(console.width, MAX_WIDTH)
    for line in solution_lines(solution, width):
        console.print(line, width=width, soft_wrap=not console.is_terminal)


def solution_lines(solution: Solution, width: int) -> Iterator[Text]:
    """The lines of `print_solution`."""
    if solution.answer != solution.explanation:
        yield headline(solution)
    if solution.buckets:
        yield Text(agreement(solution), style="dim")
    if len(solution.buckets) > 1:
        yield Text()
        yield from bucket_lines(solution.buckets, width)
    for place, segment in enumerate(split_fences(solution.explanation)):
        if place or solution.answer != solution.explanation:
            yield Text()
        yield styled(segment)
    yield Text()
    yield Text(f"{solution.run_id} · {spent(solution)}", style="dim")


def headline(solution: Solution) -> Text:
    """The answer, or what there is instead of one."""
    match solution.status:
        case RunStatus.SOLVED:
            return Text(one_line(solution.answer or ""), style="bold green")
        case RunStatus.FAILED:
            return Text(f"failed: {one_line(solution.error or 'no reason is known')}", style="bold red")
        case RunStatus.ABSTAINED:
            why = "" if solution.error is None else f": {one_line(solution.error)}"
            return Text(f"no answer{why}", style="bold yellow")
        case RunStatus.CANCELLED | RunStatus.RUNNING:
            return Text(solution.status.value, style="bold yellow")


def agreement(solution: Solution) -> str:
    """How many of the answered chains stand behind the leading answer."""
    answered = sum(len(bucket.chains) for bucket in solution.buckets)
    leading = len(solution.buckets[0].chains)
    return f"{leading} of {answered} answered chains agree (confidence {solution.buckets[0].share:.0%})"


def spent(solution: Solution) -> str:
    """What the run took."""
    usage = solution.usage
    parts = [
        count(len(solution.trajectories), "chain"),
        count(usage.completion_tokens, "token"),
        count(usage.programs, "program"),
        f"{solution.duration_s:.1f} s",
    ]
    return " · ".join(parts)


def exit_code(solution: Solution) -> int:
    """The exit code that says whether there is an answer."""
    return EXIT_OK if solution.status is RunStatus.SOLVED else EXIT_FAILED
