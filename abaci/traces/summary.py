"""The one line about a run in a listing, folded from the few events that it depends on."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from abaci.types import Decided, DecisionMade, RunFinished, RunResumed, RunStarted, RunStatus, RunSummary, TraceEvent

MAX_SUMMARY_QUESTION_CHARS = 300
"""A listing shows at most this much of a question; the whole of it is in the run."""

HEAD_KINDS = ("run_started", "run_resumed", "decision_made", "run_finished")
"""Kinds of the events that a summary depends on."""


def is_head(event: TraceEvent) -> bool:
    """Whether a summary depends on `event`."""
    return event.body.kind in HEAD_KINDS


def head_of(event: TraceEvent) -> TraceEvent:
    """`event` without what no summary shows, so that a listing reads little."""
    match event.body:
        case RunStarted(problem=problem) as body:
            short = problem.model_copy(update={"question": shorten(problem.question), "reference": None})
            return event.model_copy(update={"body": body.model_copy(update={"problem": short, "options": {}})})
        case DecisionMade(decision=Decided() as decided) as body:
            bare = Decided(answer=decided.answer, confidence=decided.confidence)
            return event.model_copy(update={"body": body.model_copy(update={"decision": bare})})
        case _:
            return event


def fold_summary(run_id: str, started_at: float, events: Iterable[TraceEvent]) -> RunSummary:
    """The summary of a run.

    Args:
        run_id: the run.
        started_at: Unix time of its earliest event, in seconds.
        events: its events by `seq`; those that are no heads do not matter.
    """
    status, question, duration_s = RunStatus.RUNNING, "", None
    answer, confidence = None, None
    for event in events:
        match event.body:
            case RunStarted(problem=problem):
                question = shorten(problem.question)
            case DecisionMade(decision=Decided() as decided):
                answer = decided.answer.raw if decided.answer else None
                confidence = decided.confidence
            case RunResumed():
                status, duration_s = RunStatus.RUNNING, None
            case RunFinished() as finished:
                status, duration_s = finished.status, finished.duration_s
            case _:
                pass
    return RunSummary(
        run_id=run_id,
        status=status,
        question=question,
        answer=answer,
        confidence=confidence,
        started_at=started_at,
        duration_s=duration_s,
    )


def shorten(question: str) -> str:
    """`question`, cut where it is longer than a listing shows."""
    if len(question) <= MAX_SUMMARY_QUESTION_CHARS:
        return question
    return question[: MAX_SUMMARY_QUESTION_CHARS - 1] + "…"


def by_run(events: Iterable[TraceEvent]) -> dict[str, list[TraceEvent]]:
    """The events that are stored, grouped by run, each group by `seq`."""
    stored = sorted((event for event in events if event.is_stored), key=lambda event: (event.run_id, event.seq))
    return {run_id: list(group) for run_id, group in groupby(stored, key=lambda event: event.run_id)}
