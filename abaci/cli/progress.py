"""The state of a run as its events tell it: what every view of a run in progress shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from abaci.cli.segments import Segment, SegmentKind, is_in_fence, split_fences
from abaci.types import (
    Bucket,
    ChainFinished,
    ChainStarted,
    Decision,
    DecisionMade,
    EventBody,
    Output,
    Program,
    Rationale,
    RunFinished,
    RunResumed,
    RunStarted,
    Step,
    StepTaken,
    StopReason,
    TextDelta,
    TraceEvent,
    VotesCounted,
    WarningRaised,
)

KEPT_SEGMENTS: Final = 12
"""Newest pieces of a chain that a view may show; more never fit on a screen."""


class Phase(StrEnum):
    """What a chain is doing."""

    WAITING = "waiting"
    THINKING = "thinking"
    CODING = "code"
    RUNNING = "running"
    READING = "output"
    ANSWERED = "answer"
    STOPPED = "stopped"


STOP_WORDS: Final = {
    StopReason.ANSWER: "answered",
    StopReason.NO_CODE: "wrote neither a program nor a marked answer",
    StopReason.MAX_ROUNDS: "no rounds left",
    StopReason.MAX_TOKENS: "no tokens left",
    StopReason.CONTEXT_LENGTH: "context full",
    StopReason.REPETITION: "repeated itself",
    StopReason.WALL_TIME: "out of time",
    StopReason.CANCELLED: "cancelled",
    StopReason.ERROR: "failed",
}
"""Stop reasons in words."""


@dataclass
class ChainProgress:
    """One chain so far."""

    chain: int
    round: int = 0
    steps: list[Segment] = field(default_factory=list)
    """Its newest steps, oldest first."""
    answer: str | None = None
    stop_reason: StopReason | None = None
    error: str | None = None
    _between: Phase = Phase.WAITING
    """The phase where the model has written nothing since the last step."""
    _written: list[str] = field(default_factory=list)

    @property
    def is_running(self) -> bool:
        """False once the chain has ended."""
        return self.stop_reason is None

    @property
    def phase(self) -> Phase:
        """What the chain is doing."""
        if not self.is_running:
            return Phase.STOPPED if self.answer is None else Phase.ANSWERED
        draft = self.draft
        if not draft:
            return self._between
        return Phase.CODING if is_in_fence(draft) else Phase.THINKING

    @property
    def draft(self) -> str:
        """What the model has written since its last step."""
        if len(self._written) > 1:
            self._written = ["".join(self._written)]
        return self._written[0] if self._written else ""

    @property
    def segments(self) -> list[Segment]:
        """The newest pieces, oldest first, the one being written last."""
        return [*self.steps, *split_fences(self.draft)]

    def write(self, text: str) -> None:
        """The model wrote `text`. Cheap: this happens for every token."""
        self._written.append(text)

    def take(self, step: Step, round_: int) -> None:
        """The chain completed `step`."""
        self.round = round_
        self._written.clear()
        match step:
            case Rationale(text=text):
                self.steps.append(Segment(SegmentKind.PROSE, text))
                self._between = Phase.THINKING
            case Program(code=code):
                self.steps.append(Segment(SegmentKind.CODE, code))
                self._between = Phase.RUNNING
            case Output(text=text):
                self.steps.append(Segment(SegmentKind.OUTPUT, text))
                self._between = Phase.READING
        del self.steps[:-KEPT_SEGMENTS]

    def finish(self, end: ChainFinished) -> None:
        """The chain ended. Text that never became a step stays to be seen."""
        if self.draft:
            self.steps.extend(split_fences(self.draft))
            self._written.clear()
        self.answer = end.answer.raw if end.answer is not None else None
        self.stop_reason, self.error = end.stop_reason, end.error


@dataclass
class RunProgress:
    """A run so far. `characters` counts generated text, since tokens are known only when a chain has ended."""

    question: str = ""
    model: str = ""
    run_id: str | None = None
    chains: dict[int, ChainProgress] = field(default_factory=dict)
    buckets: tuple[Bucket, ...] = ()
    decision: Decision | None = None
    warnings: list[str] = field(default_factory=list)
    finished: RunFinished | None = None
    programs: int = 0
    characters: int = 0

    def add(self, event: TraceEvent) -> None:
        """Take account of `event`."""
        self.run_id = event.run_id
        body = event.body
        match body:
            case TextDelta(text=text):
                self.characters += len(text)
                self._chain(body.chain).write(text)
            case ChainStarted(chain=chain):
                # Of a resumed run, it may have begun before.
                self.chains[chain] = ChainProgress(chain)
            case StepTaken(step=step, round=round_):
                self.programs += isinstance(step, Program)
                self._chain(body.chain).take(step, round_)
            case ChainFinished():
                self._chain(body.chain).finish(body)
            case _:
                self._add_of_run(body)

    def _add_of_run(self, body: EventBody) -> None:
        match body:
            case RunStarted(problem=problem, model=model):
                self.question, self.model = problem.question, model
            case VotesCounted(buckets=buckets):
                self.buckets = buckets
            case DecisionMade(decision=decision):
                self.decision, self.buckets = decision, decision.buckets or self.buckets
            case WarningRaised(message=message):
                self.warnings.append(message)
            case RunResumed():
                self.finished = None
            case RunFinished():
                self.finished = body
            case _:
                pass

    @property
    def planned(self) -> int:
        """Chains that there are, or will be at least."""
        return max(len(self.chains), 1)

    @property
    def ended(self) -> int:
        """Chains that have ended."""
        return sum(not chain.is_running for chain in self.chains.values())

    def _chain(self, chain: int) -> ChainProgress:
        return self.chains.setdefault(chain, ChainProgress(chain))
