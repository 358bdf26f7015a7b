"""The SDK: `Solver`, composed from settings, for asyncio and for plain code."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from abaci.agents import solver as agents_solver
from abaci.agents.options import SolveOptions
from abaci.app import Progress, open_services, say_nothing
from abaci.errors import InvalidInput, SettingsError
from abaci.settings import Settings
from abaci.types import Problem, Solution


class Solver(agents_solver.Solver):
    """The solver of the SDK, composed from `Settings`.

    Use it as `async with Solver() as solver: await solver.solve("…")`, or without an event loop as
    `with Solver() as solver: solver.solve_sync("…")`.

    Args:
        settings: what to work with; absent: as configured by `ABACI_*` and the configuration file.
        model: short for the backend, as `Settings.model`; excludes `settings`.
        server: the server of `model`, as `Settings.server`.
        on_progress: told what start-up is doing.
        is_last: nothing follows in this process. Its end is then all that frees an engine in it, which is faster.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        model: str | None = None,
        server: str | None = None,
        on_progress: Progress = say_nothing,
        is_last: bool = False,
    ) -> None:
        if settings is not None and (model is not None or server is not None):
            raise SettingsError("give either `settings` or `model` and `server`")
        self.settings = settings or Settings.load(model=model, server=server)
        super().__init__(partial(open_services, self.settings, on_progress, is_last=is_last), self.settings.solve)
        self._portal: BlockingPortal | None = None
        self._sync_stack = ExitStack()

    def solve_sync(self, problem: Problem | str, options: SolveOptions | None = None) -> Solution:
        """`solve` for callers without an event loop; only within `with`.

        Raises:
            InvalidInput: outside `with solver:`, or the problem cannot be used.
        """
        return self._within("solve_sync").call(self.solve, problem, options)

    def resume_sync(self, run_id: str) -> Solution:
        """`resume` for callers without an event loop; only within `with`.

        Raises:
            InvalidInput: outside `with solver:`, or as `resume` does.
            RunNotFound, TraceStoreError: as `resume` does.
        """
        return self._within("resume_sync").call(self.resume, run_id)

    def _within(self, method: str) -> BlockingPortal:
        if self._portal is None:
            raise InvalidInput(f"{method} works within `with Solver() as solver:`")
        return self._portal

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
