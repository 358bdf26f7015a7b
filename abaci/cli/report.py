"""The reports of the offline commands as a person reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from rich.text import Text

from abaci.cli.terminal import count, one_line
from abaci.evaluation.grade import GradeReport
from abaci.evaluation.replay import ReplayReport
from abaci.evaluation.vote import VoteReport

SHOWN_CASES: Final = 20
CASE_CHARS: Final = 60


def replay_lines(report: ReplayReport) -> Iterator[Text]:
    """A replay: the figures, the mismatches by class, and the first of them."""
    mode = "state carried" if report.is_state_carried else "each program alone"
    yield from _figures(
        ("trajectories", f"{report.trajectories:,}", mode),
        ("programs", f"{report.programs:,}", f"{report.exact:,} exact, {report.exact_rate:.2f} %"),
        ("extraction", f"{report.extraction_agreement:.2f} %", "answers extracted as recorded"),
        ("accuracy", f"{report.accuracy:.2f} %", f"{report.accuracy_lenient:.2f} % with ToRA's tolerance"),
        _latency(report.p50_ms, report.p99_ms, "a program"),
    )
    classes = Counter(mismatch.cause for mismatch in report.mismatches)
    for cause, number in classes.most_common():
        yield Text(f"  {number:>6}  {cause}", style="yellow")
    cases = [
        f"line {case.line} ({case.cause}): expected {one_line(case.expected, CASE_CHARS)!r}, "
        f"got {one_line(case.got, CASE_CHARS)!r}"
        for case in report.mismatches[:SHOWN_CASES]
    ]
    yield from _cases(cases, len(report.mismatches))


def grade_lines(report: GradeReport) -> Iterator[Text]:
    """A grading: the figures, and the pairs where grader and label disagree."""
    wrong = f"{report.false_positives} wrongly equal, {report.false_negatives} wrongly different"
    slowest = "" if report.max_ms is None else f"slowest {report.max_ms:.0f} ms"
    yield from _figures(
        ("pairs", f"{report.pairs:,}", ""),
        ("agreement", f"{report.agreement:.2f} %", wrong),
        _latency(report.p50_ms, report.p99_ms, f"a pair, {slowest}"),
    )
    cases = [
        f"line {case.line}: {one_line(str(case.gold), CASE_CHARS)!r} and {one_line(str(case.pred), CASE_CHARS)!r} are "
        f"{'equal' if case.equal else 'different'}; graded otherwise: {one_line(case.verdict.reason, CASE_CHARS)}"
        for case in report.disagreements[:SHOWN_CASES]
    ]
    yield from _cases(cases, len(report.disagreements))


def vote_lines(report: VoteReport) -> Iterator[Text]:
    """A vote: the figures."""
    best = f"run {one_line(report.best_run, CASE_CHARS)}" if report.best_run is not None else ""
    yield from _figures(
        ("questions", f"{report.questions:,}", f"{report.abstained} abstained"),
        ("accuracy", f"{report.accuracy:.2f} %", f"{report.mean_samples:g} candidates a question"),
        ("oracle", f"{report.oracle:.2f} %", "some candidate is right"),
        ("best single", f"{report.best_single:.2f} %", best),
    )
    if report.judge_usage.requests:
        spent = report.judge_usage
        note = f"{spent.prompt_tokens:,} tokens read, {spent.completion_tokens:,} written"
        yield from _figures(("judge calls", f"{spent.requests:,}", note))
    for warning, questions in report.warnings.items():
        yield Text(f"warning at {count(questions, 'question')}: {one_line(warning)}", style="yellow")


def _figures(*rows: tuple[str, str, str]) -> Iterator[Text]:
    for name, figure, note in rows:
        yield Text.assemble(f"{name:<14}", (f"{figure:>10}", "bold"), (f"  {note}", "dim") if note else "")


def _latency(p50_ms: float | None, p99_ms: float | None, of_what: str) -> tuple[str, str, str]:
    if p50_ms is None or p99_ms is None:
        return ("latency", "none", "")
    return ("latency", f"{p50_ms:.1f} ms", f"median; 99 % within {p99_ms:.1f} ms {of_what}")


def _cases(cases: Iterable[str], total: int) -> Iterator[Text]:
    shown = 0
    for case in cases:
        shown += 1
        yield Text(f"  {case}")
    if total > shown:
        yield Text(f"  and {total - shown} more; --json shows them all", style="dim")
