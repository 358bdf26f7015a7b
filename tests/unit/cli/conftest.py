"""Runs told by hand, for the views."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rich.console import Console, RenderableType

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
    RunStarted,
    RunStatus,
    StepTaken,
    StopReason,
    TextDelta,
    TraceEvent,
    Usage,
    VotesCounted,
)

RUN_ID = "run_" + "0" * 24

MakeEvents = Callable[..., list[TraceEvent]]
Render = Callable[..., str]


def make_event(body: EventBody, seq: int = 0) -> TraceEvent:
    return TraceEvent(run_id=RUN_ID, seq=seq, at=1_700_000_000.0 + seq, body=body)


def bodies_of_chain(chain: int, *, prose: str, code: str, output: str, answer: str | None) -> list[EventBody]:
    made = None if answer is None else Answer(raw=answer, canonical=answer)
    reason = StopReason.ANSWER if answer is not None else StopReason.MAX_TOKENS
    execution = Execution(status=ExecutionStatus.OK, stdout=output)
    return [
        ChainStarted(chain=chain),
        TextDelta(chain=chain, text=f"{prose}\n```python\n{code}"),
        StepTaken(chain=chain, round=0, step=Rationale(text=prose)),
        StepTaken(chain=chain, round=0, step=Program(code=code)),
        StepTaken(chain=chain, round=1, step=Output(text=output, execution=execution)),
        ChainFinished(chain=chain, answer=made, stop_reason=reason, usage=Usage(completion_tokens=7, programs=1)),
    ]


@pytest.fixture
def make_events() -> MakeEvents:
    """Makes the events of a run of `chains` alike chains."""

    def make(
        chains: int = 2,
        *,
        question: str = "What is 6 times 7?",
        prose: str = "I multiply.",
        code: str = "print(6 * 7)",
        output: str = "42",
        answer: str | None = "42",
        is_finished: bool = True,
    ) -> list[TraceEvent]:
        bodies: list[EventBody] = [RunStarted(problem=Problem(question=question), model="script")]
        for chain in range(chains):
            bodies += bodies_of_chain(chain, prose=prose, code=code, output=output, answer=answer)
        if answer is not None:
            named = Answer(raw=answer, canonical=answer)
            buckets = (Bucket(answer=named, chains=tuple(range(chains)), share=1.0),)
            bodies.append(VotesCounted(buckets=buckets, finished=chains, started=chains))
            tally = f"{chains} of {chains} answered chains agree"
            decided = Decided(
                answer=named,
                confidence=1.0,
                buckets=buckets,
                explanation=f"{prose}\n```python\n{code}\n```",
                reason=tally,
            )
            bodies.append(DecisionMade(decision=decided))
        if is_finished:
            status = RunStatus.SOLVED if answer is not None else RunStatus.ABSTAINED
            bodies.append(RunFinished(status=status, duration_s=1.5))
        events, seq = [], 0
        for body in bodies:
            is_stored = not isinstance(body, TextDelta)
            events.append(make_event(body, seq if is_stored else max(0, seq - 1)))
            seq += is_stored
        return events

    return make


@pytest.fixture
def render() -> Render:
    """Renders something as a terminal of the given size would show it, escape sequences of our own left out."""

    def render_at(renderable: RenderableType, width: int = 100, height: int = 30) -> str:
        console = Console(width=width, height=height, force_terminal=True, color_system=None, highlight=False)
        with console.capture() as capture:
            console.print(renderable)
        return capture.get()

    return render_at
