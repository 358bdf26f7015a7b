"""A real server over a solver that the question tells what to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator

import httpx
import pytest

from abaci.agents.options import SolveOptions
from abaci.api.app import create_app
from abaci.api.server import Address, running
from abaci.errors import BackendUnavailable, ContextLengthExceeded, RunInProgress
from abaci.traces.fold import fold_solution
from abaci.traces.memory import MemoryTraceStore
from abaci.types import (
    Answer,
    Bucket,
    ChainFinished,
    ChainStarted,
    Decided,
    DecisionMade,
    EventBody,
    Problem,
    Rationale,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStatus,
    Solution,
    StepTaken,
    StopReason,
    TextDelta,
    TraceEvent,
    Usage,
    new_run_id,
)

TWO = Answer(raw="2", canonical="2")


class ObedientSolver:
    """Solves everything with 2, save where the question says otherwise; stores its events.

    `released` counts the runs that have cleaned up behind themselves, which takes them a while.
    """

    def __init__(self, store: MemoryTraceStore) -> None:
        self.store = store
        self.options: SolveOptions | None = None
        self.started = asyncio.Event()
        self.released = asyncio.Event()
        self.is_finished = False

    async def solve(self, problem: Problem | str, options: SolveOptions | None = None) -> Solution:
        return fold_solution([event async for event in self.stream(problem, options)])

    async def stream(
        self, problem: Problem | str, options: SolveOptions | None = None
    ) -> AsyncGenerator[TraceEvent, None]:
        problem = problem if isinstance(problem, Problem) else Problem(question=problem)
        self.options = options
        run_id, seq = new_run_id(), 0
        try:
            async for body in self._bodies(problem):
                event = TraceEvent(run_id=run_id, seq=max(0, seq - (not _is_stored(body))), at=time.time(), body=body)
                seq += event.is_stored
                await self.store.append([event])
                self.started.set()
                yield event
            self.is_finished = True
        finally:
            # Two awaits: one that cancels again at each of them is caught here.
            await asyncio.sleep(0.02)
            await asyncio.sleep(0.02)
            self.released.set()

    async def resume(self, run_id: str) -> Solution:
        return fold_solution([event async for event in self.stream_resumed(run_id)])

    async def stream_resumed(self, run_id: str) -> AsyncGenerator[TraceEvent, None]:
        """Its stored events, then the rest as of a run that had just begun."""
        stored = [event async for event in self.store.read(run_id)]
        if any(isinstance(event.body, ChainFinished) for event in stored):
            raise RunInProgress(run_id)
        for event in stored:
            yield event
        first = stored[0].body
        assert isinstance(first, RunStarted)
        later = [
            RunResumed(worked_s=1.0),
            *[body async for body in self._bodies(first.problem) if _is_stored(body)][1:],
        ]
        for seq, body in enumerate(later, start=len(stored)):
            event = TraceEvent(run_id=run_id, seq=seq, at=time.time(), body=body)
            await self.store.append([event])
            yield event

    async def _bodies(self, problem: Problem) -> AsyncIterator[EventBody]:
        if "too long" in problem.question:
            raise ContextLengthExceeded(5000, 4096)
        if "defect" in problem.question:
            raise ZeroDivisionError("secret of the house")
        yield RunStarted(problem=problem, model="tiny")
        yield ChainStarted(chain=0)
        if "break" in problem.question:
            raise BackendUnavailable("the model server at 10.0.0.1 is down")
        yield TextDelta(chain=0, text="1 + 1")
        if "hang" in problem.question:
            await asyncio.sleep(3600)
        if "nap" in problem.question:
            await asyncio.sleep(0.5)
        while "flood" in problem.question:
            yield TextDelta(chain=0, text="x" * 10_000)
            await asyncio.sleep(0)
        yield StepTaken(chain=0, round=0, step=Rationale(text=problem.question))
        yield ChainFinished(chain=0, answer=TWO, stop_reason=StopReason.ANSWER, usage=Usage(completion_tokens=3))
        bucket = Bucket(answer=TWO, chains=(0,), share=1.0)
        yield DecisionMade(decision=Decided(answer=TWO, confidence=1.0, buckets=(bucket,)))
        yield RunFinished(status=RunStatus.SOLVED, duration_s=0.5)


def _is_stored(body: EventBody) -> bool:
    return body.kind != "text_delta"


@pytest.fixture
def store() -> MemoryTraceStore:
    return MemoryTraceStore()


@pytest.fixture
async def solver(store: MemoryTraceStore) -> ObedientSolver:
    return ObedientSolver(store)


@pytest.fixture
async def url(solver: ObedientSolver, store: MemoryTraceStore) -> AsyncIterator[str]:
    app = create_app(solver, store, version="9.9", defaults=SolveOptions(style="house"))
    async with running(app, Address(port=0), shutdown_grace_s=1) as url:
        yield url


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        yield http
