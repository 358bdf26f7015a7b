"""`Solver`: the owner of everything a run needs, and the face of the SDK."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from langgraph.graph.state import CompiledStateGraph

from abaci.agents.chain import ChainRunner
from abaci.agents.options import SolveOptions
from abaci.agents.question import as_problem
from abaci.agents.recorder import RunRecorder
from abaci.agents.resume import Standing, begin, find_standing
from abaci.agents.scope import RunScope
from abaci.agents.solve import PHASES, Ballot, SolveServices, SolveState, build_solve
from abaci.agents.styles import choose_style, load_style
from abaci.agents.tora import ChainServices, ChainState, build_tora
from abaci.aggregation.base import Aggregator
from abaci.aggregation.buckets import AnswerEquality, equal_text
from abaci.aggregation.config import AggregatorConfig
from abaci.aggregation.judge import Judge
from abaci.backend.base import Backend
from abaci.errors import AbaciError, GradingError, InvalidInput, RunInProgress, SandboxError
from abaci.tools.base import Tool
from abaci.traces.base import TraceStore
from abaci.traces.fold import fold_solution
from abaci.traces.hold import Hold
from abaci.traces.writer import TraceWriter
from abaci.types import (
    Decided,
    Problem,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStatus,
    Solution,
    StopReason,
    TraceEvent,
    WarningRaised,
)


@dataclass(frozen=True, slots=True)
class Services:
    """The implementations that a solver works with, all started."""

    backend: Backend
    python: Tool
    equal: AnswerEquality
    make_aggregator: Callable[[AggregatorConfig, AnswerEquality, Judge], Aggregator]
    traces: TraceStore
    max_chains: int
    """Chains that may run at once, over all runs of this process."""
    judge: Backend | None = None
    """Who judges chains; None: the model that wrote them."""


class Solver:
    """Solves problems. Use as `async with`; safe for any number of concurrent `solve` and `stream` calls.

    Args:
        open_services: opens what the solver works with; entered and left with the solver.
        defaults: options of runs that name none.
    """

    def __init__(
        self, open_services: Callable[[], AbstractAsyncContextManager[Services]], defaults: SolveOptions | None = None
    ) -> None:
        self._open_services = open_services
        self._defaults = defaults or SolveOptions()
        self._stack: AsyncExitStack | None = None
        self._services: Services | None = None
        self._slots = asyncio.Semaphore()
        self._going_on: set[str] = set()
        """The ids of the runs in progress."""

    async def __aenter__(self) -> Self:
        """Start the backend, the sandbox and the trace store."""
        async with AsyncExitStack() as stack:
            self._services = await stack.enter_async_context(self._open_services())
            self._slots = asyncio.Semaphore(self._services.max_chains)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop them; nothing is left behind."""
        stack, self._stack, self._services = self._stack, None, None
        if stack is not None:
            await stack.aclose()

    @property
    def services(self) -> Services:
        """What the solver works with.

        Raises:
            InvalidInput: the solver is not started.
        """
        if self._services is None:
            raise InvalidInput("the solver is not started: use `async with solver:` around it")
        return self._services

    async def solve(self, problem: Problem | str, options: SolveOptions | None = None) -> Solution:
        """Solve one problem.

        Always gives a `Solution`: `status` says whether an answer was decided. Cancelling the call cancels the run,
        down to the engine's requests and the sandbox's processes.

        Raises:
            InvalidInput: the problem is empty or too long.
            SettingsError: the options name a style that does not exist.
        """
        standing = begin(as_problem(problem), options or self._defaults)
        async with self._in_progress(standing.run_id) as hold:
            run = _Run(self, standing, hold)
            await run.perform()
        return fold_solution(run.recorder.events)

    async def stream(
        self, problem: Problem | str, options: SolveOptions | None = None
    ) -> AsyncGenerator[TraceEvent, None]:
        """The events of a run as they happen, `run_finished` the last; `fold_solution` makes the solution of them.

        Closing the generator cancels the run. Raises as `solve` does.
        """
        standing = begin(as_problem(problem), options or self._defaults)
        async with (
            self._in_progress(standing.run_id) as hold,
            aclosing(self._follow(standing, hold)) as events,
        ):
            async for event in events:
                yield event

    async def resume(self, run_id: str) -> Solution:
        """Go on with a stored run that was killed or cancelled, or that failed before a decision.

        Chains that had ended are not drawn again, and judges' replies are taken from the trace, which goes on under the
        same id. Samples and tokens count on; the wall time begins anew. Of a run that is over, its solution.

        A process that was killed still counts as working on its run for up to ten seconds: these are waited for.

        Raises:
            RunNotFound: the trace store has no such run.
            RunInProgress: it is being worked on, here or in another process.
            InvalidInput: it was begun with another model, or events of it are missing.
            TraceStoreError: the trace store failed.
        """
        async with aclosing(self.stream_resumed(run_id)) as events:
            return fold_solution([event async for event in events if event.is_stored])

    async def stream_resumed(self, run_id: str) -> AsyncGenerator[TraceEvent, None]:
        """The stored events of a run, then those that follow as it goes on. As `resume` and `stream`."""
        async with self._in_progress(run_id) as hold:
            await hold.take()
            stored = [event async for event in self.services.traces.read(run_id)]
            standing = find_standing(fold_solution(stored), stored, self.services.backend.info.model)
            if standing is None:
                for event in stored:
                    yield event
                return
            async with aclosing(self._follow(standing, hold)) as events:
                async for event in events:
                    yield event

    async def _follow(self, standing: Standing, hold: Hold) -> AsyncGenerator[TraceEvent, None]:
        """Perform a run, and give its events: those that it has already, then the others as they happen."""
        events: asyncio.Queue[TraceEvent | None] = asyncio.Queue()
        for event in standing.events:
            events.put_nowait(event)
        run = _Run(self, standing, hold, events.put_nowait)
        task = asyncio.create_task(run.perform(), name=run.recorder.run_id)
        task.add_done_callback(lambda _: events.put_nowait(None))
        try:
            # It begins before anything is given: a run that is left at the first event still records its end.
            await asyncio.sleep(0)
            while (found := await events.get()) is not None:
                yield found
            await task
        finally:
            task.cancel()
            await asyncio.wait({task})

    @asynccontextmanager
    async def _in_progress(self, run_id: str) -> AsyncIterator[Hold]:
        if run_id in self._going_on:
            raise RunInProgress(run_id)
        self._going_on.add(run_id)
        try:
            async with Hold(self.services.traces, run_id) as hold:
                yield hold
        finally:
            self._going_on.remove(run_id)

    @cached_property
    def solve_graph(self) -> CompiledStateGraph[SolveState, SolveServices, Any, Any]:
        """The compiled graph of a run."""
        return build_solve()

    @cached_property
    def chain_graph(self) -> CompiledStateGraph[ChainState, ChainServices, Any, Any]:
        """The compiled graph of a chain."""
        return build_tora()

    @property
    def slots(self) -> asyncio.Semaphore:
        """Bounds the chains that run at once."""
        return self._slots


class _Run:
    """One run of a solver."""

    def __init__(self, solver: Solver, standing: Standing, hold: Hold, *sinks: Callable[[TraceEvent], None]) -> None:
        self._solver = solver
        self._services = solver.services
        self._standing = standing
        info = self._services.backend.info
        self._model = info.model
        self._style = load_style(standing.options.style or choose_style(info.model, is_chat=info.is_chat))
        self._writer = TraceWriter(self._services.traces, hold)
        self.recorder = RunRecorder(standing.run_id, self._writer.put, *sinks, earlier=standing.events)

    async def perform(self) -> None:
        """Run to the end; the recorder's events then hold everything."""
        started = time.monotonic() - self._standing.worked_s
        status, error = RunStatus.CANCELLED, None
        async with self._writer:
            self._emit_start()
            try:
                status, error = await self._sample_and_aggregate()
            except AbaciError as failure:
                status, error = RunStatus.FAILED, f"{type(failure).__name__}: {failure}"
            except Exception as defect:  # the boundary of a run: its trace must not say that the caller cancelled it
                status, error = RunStatus.FAILED, f"internal error: {type(defect).__name__}: {defect}"
                raise
            finally:
                finished = RunFinished(status=status, duration_s=time.monotonic() - started, error=error)
                await self._close_trace(finished)

    def _emit_start(self) -> None:
        if self._standing.events:
            self.recorder.emit(RunResumed(worked_s=self._standing.worked_s))
            return
        options = self._standing.options.model_dump(mode="json")
        options["style"] = self._style.name
        self.recorder.emit(RunStarted(problem=self._standing.problem, model=self._model, options=options))

    async def _sample_and_aggregate(self) -> tuple[RunStatus, str | None]:
        standing, services = self._standing, self._services
        options = standing.options
        scope = RunScope(options.budget)
        scope.spend(standing.spent_tokens)
        runner = ChainRunner(
            graph=self._solver.chain_graph,
            backend=services.backend,
            python=services.python,
            style=self._style,
            sampling=options.sampling,
            scope=scope,
            recorder=self.recorder,
            slots=self._solver.slots,
            is_logprobs_wanted=options.is_logprobs_wanted or options.aggregator.needs_logprobs,
        )
        equal = _Comparison(services.equal, self.recorder)
        judging = services.judge or services.backend
        judge = Judge(judging, self.recorder.emit, lambda: scope.seconds_left, standing.replies)
        context = SolveServices(
            runner=runner,
            aggregator=services.make_aggregator(options.aggregator, equal, judge),
            equal=equal,
            max_samples=options.max_samples,
            ballot=standing.ballot,
        )
        # Each sampling round is three supersteps and the phases of the aggregator, and starts at least one chain.
        most_steps = 4 + (3 + len(PHASES)) * options.max_samples
        graph = self._solver.solve_graph
        await graph.ainvoke(
            standing.state, {"recursion_limit": most_steps}, context=context, output_keys=["is_decided"]
        )
        return _judge(context.ballot)

    async def _close_trace(self, finished: RunFinished) -> None:
        """Write what is pending and record the end, with a warning for whatever could not be stored."""
        try:
            await self._writer.flush()
        finally:
            for warning in self._writer.warnings:
                self.recorder.emit(WarningRaised(message=warning))
            self.recorder.emit(finished)


class _Comparison:
    """Equality of answers that survives a broken grader: equal texts are then equal answers, and the caller is told."""

    def __init__(self, equal: AnswerEquality, recorder: RunRecorder) -> None:
        self._equal = equal
        self._recorder = recorder
        self._is_broken = False

    async def __call__(self, first: str, second: str) -> bool:
        if not self._is_broken:
            try:
                return await self._equal(first, second)
            except (SandboxError, GradingError) as error:
                self._is_broken = True
                message = f"answers were compared as texts only: {type(error).__name__}: {error}"
                self._recorder.emit(WarningRaised(message=message))
        return await equal_text(first, second)


def _judge(ballot: Ballot) -> tuple[RunStatus, str | None]:
    if isinstance(ballot.decision, Decided) and ballot.decision.answer is not None:
        return RunStatus.SOLVED, None
    reasons = "; ".join(dict.fromkeys(chain.error for chain in ballot.finished if chain.error is not None))
    if all(chain.stop_reason is StopReason.ERROR for chain in ballot.finished):
        return RunStatus.FAILED, f"every chain failed: {reasons}"
    return RunStatus.ABSTAINED, reasons or None
