from __future__ import annotations

import random

import pytest

from abaci.errors import InvalidInput
from abaci.traces.fold import fold_solution
from abaci.types import (
    Answer,
    Bucket,
    ChainFinished,
    ChainStarted,
    Decided,
    DecisionMade,
    EventBody,
    Execution,
    ExecutionStatus,
    Output,
    Problem,
    Program,
    Rationale,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStatus,
    SampleMore,
    StepTaken,
    StopReason,
    TextDelta,
    TraceEvent,
    Usage,
    VotesCounted,
    WarningRaised,
)

RUN_ID = f"run_{7:024x}"
TWO = Answer(raw="2.0", canonical="2")
BUCKETS = (Bucket(answer=TWO, chains=(0,), share=1.0),)
OUTPUT = Output(text="2\n", execution=Execution(status=ExecutionStatus.OK, stdout="2\n"))


def trace(*bodies: EventBody) -> list[TraceEvent]:
    return [TraceEvent(run_id=RUN_ID, seq=seq, at=100.0 + seq, body=body) for seq, body in enumerate(bodies)]


def took(chain: int, step: Rationale | Program | Output) -> StepTaken:
    return StepTaken(chain=chain, round=0, step=step)


STARTED = RunStarted(problem=Problem(question="1 + 1?"), model="tiny")
CHAIN_ENDED = ChainFinished(
    chain=0,
    answer=TWO,
    stop_reason=StopReason.ANSWER,
    usage=Usage(completion_tokens=5, programs=1),
    mean_logprob=-0.5,
    duration_s=1.5,
)
WHOLE = (
    STARTED,
    ChainStarted(chain=1),
    ChainStarted(chain=0),
    took(0, Rationale(text="so")),
    took(1, Rationale(text="hm")),
    took(0, Program(code="print(1 + 1)")),
    took(0, OUTPUT),
    CHAIN_ENDED,
    VotesCounted(buckets=BUCKETS, finished=1, started=2),
    WarningRaised(message="slow"),
    DecisionMade(
        decision=Decided(answer=TWO, explanation="voted", confidence=0.5, buckets=BUCKETS, warnings=("few", "slow"))
    ),
    RunFinished(status=RunStatus.SOLVED, duration_s=9.0),
)


def test_a_whole_run_folds_to_its_solution() -> None:
    solution = fold_solution(trace(*WHOLE))
    assert (solution.run_id, solution.status, solution.question) == (RUN_ID, RunStatus.SOLVED, "1 + 1?")
    assert (solution.answer, solution.explanation, solution.confidence) == ("2.0", "voted", 0.5)
    assert (solution.buckets, solution.duration_s) == (BUCKETS, 9.0)
    assert solution.usage == Usage(completion_tokens=5, programs=1)
    assert solution.warnings == ("slow", "few")


def test_steps_go_to_their_chains_in_order() -> None:
    first, second = fold_solution(trace(*WHOLE)).trajectories
    assert first.steps == (Rationale(text="so"), Program(code="print(1 + 1)"), OUTPUT)
    assert (first.chain, first.answer, first.stop_reason) == (0, TWO, StopReason.ANSWER)
    assert (first.mean_logprob, first.duration_s) == (-0.5, 1.5)
    assert (second.chain, second.steps) == (1, (Rationale(text="hm"),))


def test_a_chain_that_never_ended_counts_as_cancelled_in_a_finished_run() -> None:
    assert fold_solution(trace(*WHOLE)).trajectories[1].stop_reason is StopReason.CANCELLED


def test_an_unfinished_run_is_running_and_shows_its_finished_chains() -> None:
    solution = fold_solution(trace(*WHOLE[:9]))
    assert (solution.status, solution.answer, solution.buckets) == (RunStatus.RUNNING, None, BUCKETS)
    assert [trajectory.chain for trajectory in solution.trajectories] == [0]
    assert solution.duration_s == 8.0


def test_streamed_only_and_repeated_events_and_their_order_do_not_matter() -> None:
    events = trace(*WHOLE)
    delta = TraceEvent(run_id=RUN_ID, seq=3, at=103.0, body=TextDelta(chain=0, text="s"))
    mixed = [*events, delta, *events[2:5]]
    random.Random(3).shuffle(mixed)
    assert fold_solution(mixed) == fold_solution(events)


def test_missing_events_are_a_warning() -> None:
    events = trace(*WHOLE)
    solution = fold_solution([*events[:3], *events[5:]])
    assert "the trace is incomplete: 2 of 12 events are missing" in solution.warnings


def test_a_failed_run_says_why() -> None:
    failed = RunFinished(status=RunStatus.FAILED, duration_s=1.0, error="every chain failed: no server")
    solution = fold_solution(trace(STARTED, failed))
    assert (solution.status, solution.error) == (RunStatus.FAILED, "every chain failed: no server")


def test_an_abstention_has_no_answer() -> None:
    abstained = DecisionMade(decision=Decided(answer=None, reason="no chain answered"))
    solution = fold_solution(trace(STARTED, abstained, RunFinished(status=RunStatus.ABSTAINED, duration_s=1.0)))
    assert (solution.answer, solution.confidence, solution.status) == (None, 0.0, RunStatus.ABSTAINED)


def test_sampling_more_is_not_yet_a_decision() -> None:
    more = DecisionMade(decision=SampleMore(samples=4, buckets=BUCKETS))
    solution = fold_solution(trace(STARTED, more))
    assert (solution.answer, solution.buckets) == (None, BUCKETS)


def test_no_events_are_no_run() -> None:
    with pytest.raises(InvalidInput, match="found no stored event"):
        fold_solution([])


def test_events_of_two_runs_are_refused() -> None:
    other = TraceEvent(run_id=f"run_{8:024x}", seq=0, at=0.0, body=STARTED)
    with pytest.raises(InvalidInput, match="found 2 runs"):
        fold_solution([*trace(STARTED), other])


def test_a_resumed_run_counts_all_that_was_spent_and_shows_what_was_done_last() -> None:
    cancelled = CHAIN_ENDED.model_copy(update={"answer": None, "stop_reason": StopReason.CANCELLED})
    before = (STARTED, ChainStarted(chain=0), took(0, Rationale(text="hm")), cancelled)
    stopped = RunFinished(status=RunStatus.CANCELLED, duration_s=3.0)
    again = (RunResumed(worked_s=3.0), ChainStarted(chain=0), took(0, Rationale(text="so")))
    going_on = fold_solution(trace(*before, stopped, *again))
    assert (going_on.status, going_on.trajectories, going_on.usage) == (RunStatus.RUNNING, (), CHAIN_ENDED.usage)
    # Two seconds since it goes on, and the three before.
    assert going_on.duration_s == 5.0
    ended = fold_solution(trace(*before, stopped, *again, CHAIN_ENDED))
    assert [step.text for step in ended.trajectories[0].steps] == ["so"]
    assert ended.usage == CHAIN_ENDED.usage + CHAIN_ENDED.usage
