"""A solver wired to the shipped doubles: no model, no process, no disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from abaci.agents.options import SolveOptions
from abaci.agents.solver import Services, Solver
from abaci.app import make_aggregator
from abaci.backend.scripted import Script, ScriptedBackend, ScriptedReply
from abaci.sandbox.scripted import Reply, ScriptedSandbox
from abaci.tools.config import PythonToolConfig
from abaci.tools.python import PythonTool
from abaci.traces.memory import MemoryTraceStore
from abaci.types import Budget, Execution, Sampling, TraceEvent


async def same_number(first: str, second: str) -> bool:
    """Equality of numbers, as a grader would judge it."""
    try:
        return float(first) == float(second)
    except ValueError:
        return first == second


@dataclass
class Bench:
    """A solver and everything it touches."""

    solver: Solver
    backend: ScriptedBackend
    sandbox: ScriptedSandbox
    traces: MemoryTraceStore = field(default_factory=MemoryTraceStore)

    async def stored(self, run_id: str | None = None) -> list[TraceEvent]:
        """The stored events of a run; of the newest one where none is named."""
        found = run_id or (await self.traces.runs())[0].run_id
        return [event async for event in self.traces.read(found)]

    @property
    def is_idle(self) -> bool:
        return self.backend.running == 0 and self.sandbox.open_sessions == 0


@asynccontextmanager
async def open_bench(
    script: Script | Sequence[str | ScriptedReply],
    execute: Reply = lambda code: Execution(status="ok", stdout="42\n"),
    *,
    traces: MemoryTraceStore | None = None,
    equal: Any = same_number,
    make_aggregator: Any = make_aggregator,
    max_chains: int = 64,
    **backend_options: Any,
) -> AsyncIterator[Bench]:
    backend = ScriptedBackend(script, **backend_options)
    sandbox = ScriptedSandbox(execute)
    store = traces or MemoryTraceStore()

    @asynccontextmanager
    async def services() -> AsyncIterator[Services]:
        async with store, sandbox, backend:
            yield Services(
                backend=backend,
                python=PythonTool(sandbox, PythonToolConfig()),
                equal=equal,
                make_aggregator=make_aggregator,
                traces=store,
                max_chains=max_chains,
            )

    async with Solver(services) as solver:
        yield Bench(solver, backend, sandbox, store)


def make_options(
    samples: int | None = 4, *, seed: int | None = 0, style: str = "tora", aggregator: Any = None, **budget: Any
) -> SolveOptions:
    chosen = {} if aggregator is None else {"aggregator": aggregator}
    return SolveOptions(budget=Budget(samples=samples, **budget), sampling=Sampling(seed=seed), style=style, **chosen)


@pytest.fixture
def bench() -> Callable[..., Any]:
    """Opens a `Bench`."""
    return open_bench


@pytest.fixture
def options() -> Callable[..., SolveOptions]:
    """Options with seed 0, so that a script can tell chain *i* by its seed."""
    return make_options


@pytest.fixture(autouse=True)
async def nothing_left_behind() -> AsyncIterator[None]:
    """No test may leave a task running."""
    before = asyncio.all_tasks()
    yield
    left = {task for task in asyncio.all_tasks() - before if not task.done() and task is not asyncio.current_task()}
    assert not left
