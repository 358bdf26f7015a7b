"""Where a run stands, read from its events: a run that broke off goes on from there.

What counts as done is what was stored: chains that ended, phases of aggregation that ended, and judges' replies since
the last of these. A chain that had not ended begins anew, since its interpreter is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from abaci.agents.options import SolveOptions
from abaci.agents.solve import Ballot, SolveState
from abaci.agents.styles import load_style
from abaci.errors import InvalidInput, SettingsError
from abaci.types import (
    ChainStarted,
    Decided,
    DecisionMade,
    Deliberating,
    EventBody,
    JudgeCalled,
    Problem,
    RunStarted,
    RunStatus,
    SampleMore,
    Solution,
    TraceEvent,
    new_run_id,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a run is about and what has become of it so far."""

    run_id: str
    problem: Problem
    options: SolveOptions
    state: SolveState
    ballot: Ballot
    replies: tuple[JudgeCalled, ...] = ()
    """Judges' whole replies since the last phase or round that ended."""
    spent_tokens: int = 0
    """Of the budget: what chains that ended wrote and were shown."""
    worked_s: float = 0.0
    events: tuple[TraceEvent, ...] = ()
    """All that are stored."""


def begin(problem: Problem, options: SolveOptions) -> Standing:
    """The standing of a run that has not begun."""
    state: SolveState = {"problem": problem.model_dump(mode="json"), "finished": []}
    return Standing(new_run_id(), problem, options, state, Ballot())


def find_standing(solution: Solution, events: Sequence[TraceEvent], model: str) -> Standing | None:
    """Where the run stands whose stored events, in order, are `events`, and their fold `solution`.

    None: it has come to its own end; it was neither killed nor cancelled, nor failed before a decision.

    Raises:
        InvalidInput: events are missing, the run was begun with another model than `model`, or by a version with other
            options.
    """
    reached = _Reached()
    for event in events:
        reached.add(event.body)
    has_failed_early = solution.status is RunStatus.FAILED and reached.decision is None
    if not has_failed_early and solution.status not in (RunStatus.RUNNING, RunStatus.CANCELLED):
        return None
    first = events[0].body
    if not isinstance(first, RunStarted) or events[-1].seq + 1 != len(events):
        raise InvalidInput(f"{solution.run_id} cannot be resumed: events of it are missing from the trace store")
    if first.model != model:
        raise InvalidInput(f"{solution.run_id} was begun with the model {first.model}, not with {model}: name that one")
    try:
        options = SolveOptions.model_validate(first.options)
        if options.style is not None:
            load_style(options.style)
    except (ValidationError, SettingsError) as error:
        raise InvalidInput(f"{solution.run_id} cannot be resumed: its options are not of this version") from error
    return Standing(
        run_id=solution.run_id,
        problem=first.problem,
        options=options,
        state={
            "problem": first.problem.model_dump(mode="json"),
            "started": reached.started,
            "finished": [trajectory.chain for trajectory in solution.trajectories],
            **reached.state,
        },
        ballot=Ballot(list(solution.trajectories), started=reached.started, decision=reached.decision),
        replies=tuple(reached.replies),
        spent_tokens=solution.usage.completion_tokens + solution.usage.tool_tokens,
        worked_s=solution.duration_s,
        events=tuple(events),
    )


class _Reached:
    """The last phase or round that ended, and what was begun since."""

    def __init__(self) -> None:
        self.state: SolveState = {}
        self.started = 0
        """Chains started up to then: all of these are over."""
        self.replies: list[JudgeCalled] = []
        self.decision: Decided | None = None
        self._begun = 0

    def add(self, body: EventBody) -> None:
        match body:
            case ChainStarted(chain=chain):
                self._begun = max(self._begun, chain + 1)
            case JudgeCalled(prompt_sha256=str()):
                self.replies.append(body)
            case Deliberating(phase=phase, notes=notes):
                self._end({"phase": phase, "notes": notes})
            case DecisionMade(decision=SampleMore(samples=samples, notes=notes)):
                self._end({"phase": None, "wanted": samples, "notes": notes})
            case DecisionMade(decision=Decided() as decision):
                self._end({"phase": None, "is_decided": True})
                self.decision = decision
            case _:
                pass

    def _end(self, state: SolveState) -> None:
        self.state, self.started = state, self._begun
        self.replies.clear()
