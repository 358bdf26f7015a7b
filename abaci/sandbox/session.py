"""A session as callers see it: one program at a time, and a new process whenever the old one is lost."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from abaci.errors import SandboxError, SessionClosed
from abaci.sandbox.base import DEFAULT_LIMITS, Limits
from abaci.sandbox.outcome import OomWatch, to_execution
from abaci.sandbox.process import Ended, SessionProcess
from abaci.sandbox.worker.wire import ReplyKind
from abaci.types import Execution

MAX_REPLAYED = 256
"""A session with more successful programs than this is not replayed."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SessionPolicy:
    """What the sandbox grants each of its sessions.

    Args:
        memory_bytes: the most memory any process of a session may have.
        replay_s: how long the successful programs of a lost process may be run again, in seconds; None: not at all.
    """

    memory_bytes: int
    replay_s: float | None = None


class ProcessSession:
    """A `Session` on a process that may be replaced.

    Args:
        process: the first process.
        replace: makes another one, within a bounded time.
        policy: its limits.
        oom: tells whether a kill was the kernel's, for want of memory.
    """

    def __init__(
        self,
        process: SessionProcess,
        replace: Callable[[], Awaitable[SessionProcess]],
        policy: SessionPolicy,
        oom: OomWatch,
    ) -> None:
        self._process = process
        self._replace = replace
        self._policy = policy
        self._oom = oom
        self._turn = asyncio.Lock()
        self._is_open = True
        # Told already, by the execution in which it happened: a loss is reported once.
        self._is_loss_known = False
        self._succeeded: list[tuple[str, int]] = []

    @property
    def pid(self) -> int | None:
        """The id of its process on this machine; None where it has ended, or runs elsewhere."""
        return self._process.pid

    async def execute(self, code: str, limits: Limits = DEFAULT_LIMITS) -> Execution:
        """Run `code`; see `abaci.sandbox.base.Session.execute`.

        Raises:
            SessionClosed: the session's `async with` has ended.
            SandboxError: the sandbox itself is broken; the next program may find it repaired.
        """
        async with self._turn:
            self._check_open()
            was_lost_before = False
            if not self._process.is_alive:
                was_lost_before = not await self._renew() and not self._is_loss_known
            memory_bytes = min(limits.memory_bytes, self._policy.memory_bytes)
            ended = await self._process.run(code, limits, memory_bytes)
            self._check_open()
            is_lost = self._is_loss_known = not self._process.is_alive and not await self._restore()
            self._remember(code, memory_bytes, ended)
            has_oom = ended.signal == signal.SIGKILL and self._oom.claim()
            return to_execution(ended, limits, was_lost_before=was_lost_before, is_lost=is_lost, has_oom=has_oom)

    def stop_for_memory(self, budget_bytes: int) -> None:
        """Kill its process: of all sessions it holds the most, and together they hold more than `budget_bytes`."""
        self._process.stop_for_memory(budget_bytes)

    def end(self) -> asyncio.Future[bool]:
        """End the session; a program that runs is killed, and its `execute` raises `SessionClosed`.

        Returns:
            done within a bounded time: whether the process is gone.
        """
        self._is_open = False
        return self._process.end()

    async def _renew(self) -> bool:
        """A new process in the place of the dead one; whether it has the state of the old one."""
        await self._process.close()
        await self._replace_process()
        if self._policy.replay_s is None or not self._succeeded or len(self._succeeded) > MAX_REPLAYED:
            return False
        if await self._replay(self._policy.replay_s):
            return True
        self._succeeded.clear()
        await self._process.close()
        await self._replace_process()
        return False

    async def _restore(self) -> bool:
        """Renew at once, so that this very execution can tell whether the state was saved; only where it can be."""
        if self._policy.replay_s is None:
            return False
        try:
            return await self._renew()
        except SessionClosed:
            raise
        except SandboxError as error:
            _log.warning("a sandbox session could not be restored: %s", error)
            return False

    async def _replay(self, replay_s: float) -> bool:
        """Run what succeeded before, in order; False at the first program that does not succeed again, or in time."""
        deadline = time.monotonic() + replay_s
        for code, memory_bytes in self._succeeded:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            ended = await self._process.run(code, Limits(timeout_s=left_s), memory_bytes)
            self._check_open()
            if not _has_succeeded(ended):
                return False
        return True

    async def _replace_process(self) -> None:
        process = await self._replace()
        if not self._is_open:
            await process.close()
        self._process = process
        self._check_open()

    def _remember(self, code: str, memory_bytes: int, ended: Ended) -> None:
        if self._policy.replay_s is None:
            return
        if self._is_loss_known:
            self._succeeded.clear()
        elif _has_succeeded(ended) and len(self._succeeded) <= MAX_REPLAYED:
            self._succeeded.append((code, memory_bytes))

    def _check_open(self) -> None:
        if not self._is_open:
            raise SessionClosed("this sandbox session was closed: open a new one")


def _has_succeeded(ended: Ended) -> bool:
    return ended.stop is None and ended.reply is not None and ended.reply.kind is ReplyKind.OK
