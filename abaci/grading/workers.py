"""Sandbox sessions with the algebra loaded, kept and replaced as needed."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from importlib.resources import files

from abaci.errors import GradingError
from abaci.sandbox.base import Limits, Sandbox, Session
from abaci.types import Execution, ExecutionStatus

LOAD_LIMITS = Limits(timeout_s=30.0, output_bytes=16 * 1024)
"""For the first program of a session, which imports the algebra where the sandbox is not warm."""

_PROGRAM = files("abaci.grading").joinpath("symbolic.py").read_text(encoding="utf-8")


class _Worker:
    """One session with the algebra loaded."""

    def __init__(self, session: Session, stack: AsyncExitStack) -> None:
        self.session = session
        self._stack = stack

    async def close(self) -> None:
        await self._stack.aclose()


class Workers:
    """At most `max_workers` sessions, opened when first needed; a session that timed out or died is replaced."""

    def __init__(self, sandbox: Sandbox, max_workers: int) -> None:
        self._sandbox = sandbox
        self._slots = asyncio.Semaphore(max_workers)
        self._idle: list[_Worker] = []
        self._is_open = True

    async def call(self, function: str, arguments: tuple[str | int | bool, ...], timeout_s: float) -> Execution:
        """What `function(*arguments)` of the in-sandbox program gave, at most `timeout_s` seconds after it started.

        Raises:
            GradingError: the program cannot be loaded, or `close` was called.
            SandboxError: no session can be had.
        """
        # The arguments are text of a model: they travel as one JSON string literal, never as code.
        code = f"{function}(*__import__('json').loads({json.dumps(json.dumps(arguments))}))"
        async with self._slots:
            if not self._is_open:
                raise GradingError("this grader was closed: open a new one with `async with`")
            worker = self._idle.pop() if self._idle else await self._load()
            is_reusable = False
            try:
                execution = await worker.session.execute(code, Limits(timeout_s=timeout_s, output_bytes=4096))
                is_answer = execution.status in (ExecutionStatus.OK, ExecutionStatus.ERROR)
                is_reusable = is_answer and not execution.is_session_lost and self._is_open
            finally:
                if is_reusable:
                    self._idle.append(worker)
                else:
                    await worker.close()
            return execution

    async def close(self) -> None:
        """End every idle session; sessions in use end with their call."""
        self._is_open = False
        while self._idle:
            await self._idle.pop().close()

    async def _load(self) -> _Worker:
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(self._sandbox.session())
            execution = await session.execute(_PROGRAM, LOAD_LIMITS)
            if execution.status is not ExecutionStatus.OK:
                raise GradingError(
                    f"the sandbox cannot load math-verify ({execution.status}: {execution.error}): "
                    "check that it sees the packages abaci is installed with"
                )
            return _Worker(session, stack.pop_all())
