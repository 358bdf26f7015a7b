"""Composition root: the only place where implementations are named.

Implementations are imported when they are chosen, so that nothing heavy loads before it is needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from abaci.agents import solver as agents_solver
from abaci.agents.options import SolveOptions
from abaci.agents.solver import Services
from abaci.aggregation.base import Aggregator
from abaci.aggregation.buckets import AnswerEquality
from abaci.aggregation.config import AggregatorConfig, SelfConsistencyConfig
from abaci.backend.base import Backend
from abaci.backend.config import BackendConfig, OpenAIConfig, ScriptedConfig, VllmConfig
from abaci.errors import InvalidInput, SettingsError
from abaci.grading.grader import Grader
from abaci.sandbox.auto import open_sandbox
from abaci.settings import Settings
from abaci.tools.python import PythonTool
from abaci.traces.base import TraceStore
from abaci.traces.config import MemoryTraceConfig, RedisTraceConfig, SqliteTraceConfig, TraceConfig
from abaci.types import Problem, Solution

Progress = Callable[[str, float | None], None]
"""Told what a slow start is doing and, where it is known, the share done from 0 to 1."""

GRADER_SESSIONS = 2
"""Sandbox sessions kept for comparing answers, beside those of the chains."""


def _say_nothing(_: str, __: float | None) -> None:
    """The `Progress` that tells nobody."""


def make_backend(config: BackendConfig, on_progress: Progress = _say_nothing) -> Backend:
    """The backend that `config` describes, not yet started."""
    match config:
        case VllmConfig():
            from abaci.backend.vllm import VllmBackend

            return VllmBackend(config, on_progress=on_progress)
        case OpenAIConfig():
            from abaci.backend.openai import OpenAIBackend

            return OpenAIBackend(config)
        case ScriptedConfig():
            from abaci.backend.scripted import ScriptedBackend

            return ScriptedBackend.from_config(config)


def make_traces(config: TraceConfig) -> TraceStore:
    """The trace store that `config` describes, not yet opened."""
    match config:
        case MemoryTraceConfig():
            from abaci.traces.memory import MemoryTraceStore

            return MemoryTraceStore(config)
        case SqliteTraceConfig():
            from abaci.traces.sqlite import SqliteTraceStore

            return SqliteTraceStore(config)
        case RedisTraceConfig():
            from abaci.traces.redis import RedisTraceStore

            return RedisTraceStore(config)


def make_aggregator(config: AggregatorConfig, equal: AnswerEquality) -> Aggregator:
    """The aggregator that `config` describes."""
    match config:
        case SelfConsistencyConfig():
            from abaci.aggregation.self_consistency import SelfConsistency

            return SelfConsistency(config, equal)


@asynccontextmanager
async def open_services(settings: Settings, on_progress: Progress = _say_nothing) -> AsyncIterator[Services]:
    """Everything a solver works with, started; stopped in reverse order.

    Raises:
        SettingsError, ModelLoadError, BackendUnavailable, SandboxUnavailable, TraceStoreError: what cannot be started.
    """
    config = settings.choose_backend()
    sandbox_config = settings.sandbox.model_copy(update={"max_sessions": settings.max_chains + GRADER_SESSIONS})
    async with make_traces(settings.traces) as traces:
        on_progress("warming the sandbox", None)
        async with (
            open_sandbox(sandbox_config) as sandbox,
            Grader(sandbox, max_workers=GRADER_SESSIONS) as grader,
            make_backend(config, on_progress) as backend,
        ):
            on_progress("ready", 1.0)
            yield Services(
                backend=backend,
                python=PythonTool(sandbox, settings.python),
                equal=grader.are_equal,
                make_aggregator=make_aggregator,
                traces=traces,
                max_chains=settings.max_chains,
            )


class Solver(agents_solver.Solver):
    """The solver of the SDK, composed from `Settings`.

    Use it as `async with Solver() as solver: await solver.solve("…")`, or without an event loop as
    `with Solver() as solver: solver.solve_sync("…")`.

    Args:
        settings: what to work with; absent: as configured by `ABACI_*` and the configuration file.
        model: short for the backend, as `Settings.model`; excludes `settings`.
        server: the server of `model`, as `Settings.server`.
        on_progress: told what start-up is doing.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        model: str | None = None,
        server: str | None = None,
        on_progress: Progress = _say_nothing,
    ) -> None:
        if settings is not None and (model is not None or server is not None):
            raise SettingsError("give either `settings` or `model` and `server`")
        self.settings = settings or Settings.load(model=model, server=server)
        super().__init__(partial(open_services, self.settings, on_progress), self.settings.solve)
        self._portal: BlockingPortal | None = None
        self._sync_stack = ExitStack()

    def solve_sync(self, problem: Problem | str, options: SolveOptions | None = None) -> Solution:
        """`solve` for callers without an event loop; only within `with`.

        Raises:
            InvalidInput: outside `with solver:`, or the problem cannot be used.
        """
        if self._portal is None:
            raise InvalidInput("solve_sync works within `with Solver() as solver:`")
        return self._portal.call(self.solve, problem, options)

    def __enter__(self) -> Self:
        """Start an event loop on a thread of its own, and the solver in it."""
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            stack.enter_context(self._portal.wrap_async_context_manager(self))
            self._sync_stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop both."""
        self._portal = None
        self._sync_stack.close()
