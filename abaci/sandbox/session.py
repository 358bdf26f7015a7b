"""A session as callers see it: one program at a time, and a new process whenever the old one is lost."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

from abaci.errors import SessionClosed
from abaci.sandbox.base import DEFAULT_LIMITS, Limits
from abaci.sandbox.outcome import OomWatch, to_execution
from abaci.sandbox.process import SessionProcess
from abaci.types import Execution


class ProcessSession:
    """A `Session` on a process that may be replaced.

    Args:
        process: the first process.
        replace: makes another one, within a bounded time.
        memory_bytes: the most memory any process of this session may have.
        oom: tells whether a kill was the kernel's, for want of memory.
    """

    def __init__(
        self,
        process: SessionProcess,
        replace: Callable[[], Awaitable[SessionProcess]],
        memory_bytes: int,
        oom: OomWatch,
    ) -> None:
        self._process = process
        self._replace = replace
        self._oom = oom
        self._memory_bytes = memory_bytes
        self._turn = asyncio.Lock()
        self._is_open = True
        # Told already, by the execution in which it happened: a loss is reported once.
        self._is_loss_known = False

    async def execute(self, code: str, limits: Limits = DEFAULT_LIMITS) -> Execution:
        """Run `code`; see `abaci.sandbox.base.Session.execute`.

        Raises:
            SessionClosed: the session's `async with` has ended.
            SandboxError: the sandbox itself is broken; the next program may find it repaired.
        """
        async with self._turn:
            self._check_open()
            was_lost_before = not self._process.is_alive and not self._is_loss_known
            if not self._process.is_alive:
                await self._renew()
            memory_bytes = min(limits.memory_bytes, self._memory_bytes)
            ended = await self._process.run(code, limits, memory_bytes)
            is_lost = self._is_loss_known = not self._process.is_alive
            self._check_open()
            has_oom = ended.signal == signal.SIGKILL and self._oom.has_new()
            return to_execution(ended, limits, was_lost_before=was_lost_before, is_lost=is_lost, has_oom=has_oom)

    async def close(self) -> None:
        """End the session; a program that runs is killed, and its `execute` raises `SessionClosed`."""
        self._is_open = False
        await self._process.close()

    async def _renew(self) -> None:
        await self._process.close()
        process = await self._replace()
        if not self._is_open:
            await process.close()
        self._process = process
        self._check_open()

    def _check_open(self) -> None:
        if not self._is_open:
            raise SessionClosed("this sandbox session was closed: open a new one")
