"""Many chains, one answer: the solve graph.

    plan ──Send × n──▶ run_chain ──▶ aggregate ──▶ score_locally ──▶ evaluate_globally ──decided──▶ END
      ▲                                  │                                   │
      └───────────── sample more ────────┴───────────────────────────────────┘

`aggregate` decides by itself, or hands on to the phases of an aggregator that judges.

Chains run freely, each at its own pace; after every chain that finishes the votes are counted, and once the vote cannot
change any more the chains still running are cancelled. The state only steers, in JSON-safe values: what the chains did
is in the run's events and on its ballot, and services come in by the runtime context. A run that broke off enters the
graph where its events end (`resume`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import add
from typing import Annotated, Any, TypedDict, get_args

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send

from abaci.agents.chain import ChainRunner
from abaci.aggregation.base import Aggregator, Progress
from abaci.aggregation.buckets import AnswerEquality, bucket_trajectories
from abaci.types import (
    Decision,
    DecisionMade,
    Deliberating,
    Problem,
    SampleMore,
    StopReason,
    Trajectory,
    VotesCounted,
)


class SolveState(TypedDict, total=False):
    """The state of one run."""

    problem: dict[str, Any]
    started: int
    """Chains started so far."""
    wanted: int
    """Chains of the round to come, or under way."""
    chains: list[int]
    """Those of them to start."""
    finished: Annotated[list[int], add]
    """Chains that have ended."""
    is_decided: bool
    phase: str | None
    """The aggregator's next phase, where it is in the middle of its work."""
    notes: dict[str, Any]
    """What the aggregator wants to be told again."""


class ChainTask(TypedDict):
    """What one `run_chain` node is sent."""

    chain: int
    problem: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SolveServices:
    """What a run works with; never part of its state."""

    runner: ChainRunner
    aggregator: Aggregator
    equal: AnswerEquality
    max_samples: int
    """Chains, over all rounds."""
    ballot: Ballot


@dataclass(slots=True)
class Ballot:
    """The chains of a run and what became of them; the lock keeps counts in the order of their events."""

    finished: list[Trajectory] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    started: int = 0
    decision: Decision | None = None


async def plan(state: SolveState, runtime: Runtime[SolveServices]) -> SolveState:
    """Decide which chains to start."""
    services = runtime.context
    ballot = services.ballot
    if not state.get("started"):
        wanted = services.aggregator.first_samples or services.max_samples
    else:
        wanted = state["wanted"]
        services.runner.scope.reopen()
    # The budget holds whatever an aggregator asks for.
    round_ = range(ballot.started, min(ballot.started + wanted, services.max_samples))
    ballot.started += len(round_)
    await _take_up(services, round_)
    ended = {trajectory.chain for trajectory in ballot.finished}
    chains = [chain for chain in round_ if chain not in ended]
    return {"started": ballot.started, "wanted": len(round_), "chains": chains}


async def _take_up(services: SolveServices, round_: range) -> None:
    """Where chains of this round have ended before a break: those that it cancelled are to begin anew.

    Unless the others have settled the round: then they were cancelled for that, and what has not ended need not begin.
    """
    ballot = services.ballot
    if not any(trajectory.chain in round_ for trajectory in ballot.finished):
        return
    heard = [
        trajectory
        for trajectory in ballot.finished
        if trajectory.chain not in round_ or trajectory.stop_reason is not StopReason.CANCELLED
    ]
    buckets = await bucket_trajectories(heard, services.equal)
    progress = _progress(services, heard)
    if progress.finished < progress.started and services.aggregator.is_settled(buckets, progress):
        services.runner.scope.settle()
    else:
        ballot.finished = heard


async def fan_out(state: SolveState) -> list[Send] | str:
    """One `run_chain` a chain to start; none where all have ended, and the end where there can be no more."""
    if not state["chains"]:
        return "aggregate" if state["wanted"] else END
    return [Send("run_chain", ChainTask(chain=chain, problem=state["problem"])) for chain in state["chains"]]


async def run_chain(state: ChainTask, runtime: Runtime[SolveServices]) -> SolveState:
    """Run one chain, count the votes, and stop the others when nothing can change any more."""
    services = runtime.context
    trajectory = await services.runner.run(state["chain"], Problem.model_validate(state["problem"]))
    await _count(services, trajectory)
    return {"finished": [trajectory.chain]}


async def _count(services: SolveServices, trajectory: Trajectory) -> None:
    ballot = services.ballot
    async with ballot.lock:
        ballot.finished.append(trajectory)
        if trajectory.stop_reason is StopReason.CANCELLED:
            return
        buckets = await bucket_trajectories(ballot.finished, services.equal)
        progress = _progress(services, ballot.finished)
        services.runner.recorder.emit(
            VotesCounted(buckets=buckets, finished=progress.finished, started=progress.started)
        )
        if progress.finished < progress.started and services.aggregator.is_settled(buckets, progress):
            services.runner.scope.settle()


async def aggregate(state: SolveState, runtime: Runtime[SolveServices]) -> SolveState:
    """Merge the chains, or ask for more of them."""
    services = runtime.context
    ballot = services.ballot
    trajectories = sorted(ballot.finished, key=lambda trajectory: trajectory.chain)
    problem = Problem.model_validate(state["problem"])
    progress = _progress(services, trajectories).model_copy(update={"notes": state.get("notes", {})})
    decision = await services.aggregator.decide(problem, trajectories, progress)
    if isinstance(decision, Deliberating):
        services.runner.recorder.emit(decision)
        return {"phase": decision.phase, "notes": decision.notes}
    ballot.decision = decision
    services.runner.recorder.emit(DecisionMade(decision=decision))
    if isinstance(decision, SampleMore):
        return {"wanted": decision.samples, "phase": None, "notes": decision.notes}
    return {"is_decided": True, "phase": None}


def _progress(services: SolveServices, finished: Sequence[Trajectory]) -> Progress:
    """Where the run stands. Nothing remains once the deadline has passed or the tokens are spent."""
    started = services.ballot.started
    scope = services.runner.scope
    remaining = 0 if scope.is_spent or scope.is_over else services.max_samples - started
    return Progress(finished=len(finished), started=started, remaining=max(0, remaining))


async def route(state: SolveState) -> str:
    """The next phase of aggregation, the end, or more samples; at the start too, since a run may go on anywhere."""
    return END if state.get("is_decided") else state.get("phase") or "plan"


PHASES: tuple[str, ...] = get_args(Deliberating.model_fields["phase"].annotation)


def build_solve() -> CompiledStateGraph[SolveState, SolveServices, Any, Any]:
    """The compiled graph of one run. Stateless: one serves every run of a process."""
    graph = StateGraph(SolveState, context_schema=SolveServices)
    graph.add_node("plan", plan)
    graph.add_node("run_chain", run_chain, input_schema=ChainTask)
    graph.add_node("aggregate", aggregate)
    graph.add_conditional_edges(START, route, ["plan", *PHASES, END])
    graph.add_conditional_edges("plan", fan_out, ["run_chain", "aggregate", END])
    graph.add_edge("run_chain", "aggregate")
    for phase in PHASES:
        graph.add_node(phase, aggregate)
    for node in ("aggregate", *PHASES):
        graph.add_conditional_edges(node, route, ["plan", *PHASES, END])
    return graph.compile()
