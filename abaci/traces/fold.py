"""The `Solution` that a run's events amount to: a pure function, the same for a live stream and for a stored run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from abaci.errors import InvalidInput
from abaci.types import (
    Bucket,
    ChainFinished,
    ChainStarted,
    Decided,
    DecisionMade,
    JudgeCalled,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStatus,
    Solution,
    Step,
    StepTaken,
    StopReason,
    TraceEvent,
    Trajectory,
    Usage,
    VotesCounted,
    WarningRaised,
)


def fold_solution(events: Iterable[TraceEvent]) -> Solution:
    """The solution so far of the one run that `events` tell of.

    Streamed-only events and repeated ones do not matter, nor does the order. A run that has not finished is `running`
    and shows its finished chains only; in a finished run, a chain that never ended counts as cancelled. Events missing
    from the middle of the run become a warning.

    Raises:
        InvalidInput: `events` holds no stored event, or events of several runs.
    """
    stored = in_order(events)
    fold = _Fold(run_id=stored[0].run_id)
    for event in stored:
        fold.add(event)
    return fold.solution(stored)


def in_order(events: Iterable[TraceEvent]) -> list[TraceEvent]:
    """The stored events of one run among `events`, each once, by `seq`.

    Raises:
        InvalidInput: there is none, or they are of several runs.
    """
    by_seq: dict[int, TraceEvent] = {}
    runs: set[str] = set()
    for event in events:
        if event.is_stored:
            by_seq.setdefault(event.seq, event)
            runs.add(event.run_id)
    if len(runs) != 1:
        found = f"found {len(runs)} runs: {', '.join(sorted(runs)[:3])}" if runs else "found no stored event"
        raise InvalidInput(f"a solution is the fold of one run's events, but {found}", field="events")
    return [by_seq[seq] for seq in sorted(by_seq)]


@dataclass
class _Fold:
    """What is known after some events of a run."""

    run_id: str
    started: RunStarted | None = None
    work_began_at: float | None = None
    """Unix time from which the run's duration counts: its start, later by every break."""
    finished: RunFinished | None = None
    decided: Decided | None = None
    buckets: tuple[Bucket, ...] = ()
    steps: dict[int, list[Step]] = field(default_factory=dict)
    ends: dict[int, ChainFinished] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    judge_usage: Usage = field(default_factory=Usage)

    def add(self, event: TraceEvent) -> None:
        match event.body:
            case RunStarted() as started:
                self.started = started
            case RunResumed(worked_s=worked_s):
                self.finished, self.work_began_at = None, event.at - worked_s
            case ChainStarted(chain=chain):
                self.steps[chain] = []
                self.ends.pop(chain, None)
            case StepTaken(chain=chain, step=step):
                self.steps.setdefault(chain, []).append(step)
            case ChainFinished(chain=chain) as end:
                self.steps.setdefault(chain, [])
                self.ends[chain] = end
                self.usage = self.usage + end.usage
            case VotesCounted(buckets=buckets):
                self.buckets = buckets
            case JudgeCalled(usage=usage):
                self.judge_usage = self.judge_usage + usage
            case DecisionMade(decision=decision):
                self.buckets = decision.buckets or self.buckets
                if isinstance(decision, Decided):
                    self.decided = decision
            case WarningRaised(message=message):
                self.warnings.append(message)
            case RunFinished() as finished:
                self.finished = finished
            case _:
                pass

    def trajectories(self) -> tuple[Trajectory, ...]:
        """The finished chains by index, and in a finished run the cancelled ones too."""
        made = []
        for chain in sorted(self.steps):
            end = self.ends.get(chain)
            steps = tuple(self.steps[chain])
            if end is not None:
                known = end.model_dump(include=_SHARED_FIELDS)
                made.append(Trajectory(steps=steps, **known))
            elif self.finished is not None:
                made.append(Trajectory(chain=chain, steps=steps, stop_reason=StopReason.CANCELLED))
        return tuple(made)

    def all_warnings(self, stored: Sequence[TraceEvent]) -> tuple[str, ...]:
        """The warnings raised, those of the decision, and one for events that are missing; each once."""
        found = [*self.warnings]
        if self.decided is not None:
            found += self.decided.warnings
        missing = stored[-1].seq + 1 - len(stored)
        if missing:
            found.append(f"the trace is incomplete: {missing} of {stored[-1].seq + 1} events are missing")
        return tuple(dict.fromkeys(found))

    def solution(self, stored: Sequence[TraceEvent]) -> Solution:
        decided = self.decided
        return Solution(
            run_id=self.run_id,
            status=self.finished.status if self.finished else RunStatus.RUNNING,
            question=self.started.problem.question if self.started else "",
            answer=decided.answer.raw if decided and decided.answer else None,
            explanation=decided.explanation if decided else "",
            confidence=decided.confidence if decided else 0.0,
            buckets=self.buckets,
            trajectories=self.trajectories(),
            usage=self.usage,
            judge_usage=self.judge_usage,
            duration_s=self.finished.duration_s if self.finished else self._worked_s(stored),
            warnings=self.all_warnings(stored),
            error=self.finished.error if self.finished else None,
        )

    def _worked_s(self, stored: Sequence[TraceEvent]) -> float:
        return max(0.0, stored[-1].at - (self.work_began_at or stored[0].at))


_SHARED_FIELDS = set(Trajectory.model_fields) & set(ChainFinished.model_fields)
