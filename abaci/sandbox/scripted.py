"""A sandbox without processes: programs are answered from a script, for tests of logic and orchestration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Self

from abaci.errors import SandboxBusy, SandboxError, SessionClosed
from abaci.sandbox.base import DEFAULT_LIMITS, Limits
from abaci.types import Execution

Reply = Callable[[str], Execution | Awaitable[Execution]] | Mapping[str, Execution]
"""What answers a program: a function (plain or async) of its code, or a table from code to execution."""


class ScriptedSession:
    """One scripted session; `programs` lists what it was asked to run, in order."""

    def __init__(self, sandbox: ScriptedSandbox) -> None:
        self._sandbox = sandbox
        self._is_open = True
        self._turn = asyncio.Lock()
        self.programs: list[str] = []

    async def execute(self, code: str, limits: Limits = DEFAULT_LIMITS) -> Execution:
        """The scripted execution of `code`; `limits` is recorded and not enforced.

        Raises:
            SessionClosed: the session's `async with` has ended.
            SandboxError: the script, when it is a table, has no entry for `code`.
        """
        async with self._turn:
            if not self._is_open:
                raise SessionClosed("this sandbox session was closed: open a new one")
            self.programs.append(code)
            return await self._sandbox.answer(code, limits)

    def close(self) -> None:
        """End the session: later programs raise `SessionClosed`."""
        self._is_open = False


class ScriptedSandbox:
    """A `Sandbox` that runs nothing.

    `programs` lists every program of every session, in order, and `limits` the limits given with them;
    `open_sessions` and `max_open_sessions` count sessions now and at the worst moment.
    """

    tier = "scripted"

    def __init__(self, reply: Reply, *, max_sessions: int = 4096, wait_s: float = 30.0) -> None:
        self._reply = reply
        self._slots = asyncio.Semaphore(max_sessions)
        self._wait_s = wait_s
        self.programs: list[str] = []
        self.limits: list[Limits] = []
        self.open_sessions = 0
        self.max_open_sessions = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        return None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[ScriptedSession]:
        """A fresh scripted session.

        Raises:
            SandboxBusy: all `max_sessions` stayed open for `wait_s` seconds.
        """
        try:
            await asyncio.wait_for(self._slots.acquire(), self._wait_s)
        except TimeoutError as error:
            raise SandboxBusy(f"no scripted session became free within {self._wait_s:g} s") from error
        session = ScriptedSession(self)
        self.open_sessions += 1
        self.max_open_sessions = max(self.max_open_sessions, self.open_sessions)
        try:
            yield session
        finally:
            session.close()
            self.open_sessions -= 1
            self._slots.release()

    async def answer(self, code: str, limits: Limits) -> Execution:
        """Record `code` and look its execution up in the script."""
        self.programs.append(code)
        self.limits.append(limits)
        if isinstance(self._reply, Mapping):
            execution = self._reply.get(code)
            if execution is None:
                raise SandboxError(f"the sandbox script has no entry for the program {code!r}")
            return execution
        answer = self._reply(code)
        return answer if isinstance(answer, Execution) else await answer
