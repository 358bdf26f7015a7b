"""The sandbox over a zygote: spare sessions kept ready, a bounded number of open ones, and a new zygote if it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from abaci.errors import SandboxBusy, SandboxError, SandboxUnavailable
from abaci.sandbox.config import PoolConfig
from abaci.sandbox.outcome import OomWatch, machine_oom_kills
from abaci.sandbox.process import UNDEAD, SessionProcess
from abaci.sandbox.session import ProcessSession, SessionPolicy
from abaci.sandbox.spares import CALM_S, SpareTarget
from abaci.sandbox.zygote import Launcher, Zygote

_REFILL_PAUSE_S = 0.5
"""After a failed fork, how long the spares wait before the next try, in seconds."""
_REFILL_DELAY_S = 0.005
"""How long the next spare waits while there are others: the program that took the last one runs meanwhile."""
_DESCRIPTORS_A_SESSION = 3
_OTHER_DESCRIPTORS = 512
"""Left for the rest of this process where sessions need more descriptors than it may have."""

_log = logging.getLogger(__name__)


class PooledSandbox:
    """A `Sandbox` whose sessions are forked from one warm zygote.

    Args:
        launcher: starts the zygote, in its isolation.
        config: sizes and waits.
    """

    def __init__(self, launcher: Launcher, config: PoolConfig) -> None:
        self._launcher = launcher
        self._config = config
        self._slots = asyncio.Semaphore(config.max_sessions)
        self._zygote: Zygote | None = None
        self._spares: list[SessionProcess] = []
        self._target = SpareTarget(config.spares, config.max_spares, 0.0)
        self._spare_taken = asyncio.Event()
        self._refill: asyncio.Task[None] | None = None
        self._restart: asyncio.Task[None] | None = None
        self._sessions: set[ProcessSession] = set()
        self._ending: set[asyncio.Future[bool]] = set()
        self._is_open = False
        self._policy = SessionPolicy(config.memory_bytes, config.replay_s)
        self._oom = OomWatch(machine_oom_kills)

    @property
    def tier(self) -> str:
        """The isolation in force."""
        return self._launcher.tier

    @property
    def zygote_pid(self) -> int | None:
        """The process that sessions are forked from; None before the start."""
        return None if self._zygote is None else self._zygote.pid

    async def __aenter__(self) -> Self:
        """Start the zygote and prove, with one session, that a program can be locked up and run.

        Raises:
            SandboxUnavailable: the tier does not work here; the message says why.
        """
        _allow_descriptors(self._config.most_processes * _DESCRIPTORS_A_SESSION)
        self._zygote = await Zygote.start(self._launcher, self._config.start_s)
        self._is_open = True
        try:
            self._spares.append(await self._zygote.spawn())
        except BaseException as error:
            await self.__aexit__()
            if isinstance(error, SandboxError):
                raise SandboxUnavailable(f"{error}. {self._launcher.advice}") from error
            raise
        self._refill = asyncio.create_task(self._keep_spares(), name="abaci-sandbox-spares")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End every session, spare and zygote; all their processes are gone on return."""
        self._is_open = False
        # One after the other, whatever fails before.
        async with contextlib.AsyncExitStack() as last:
            last.push_async_callback(self._close_zygote)
            last.push_async_callback(self._end_processes)
            if self._refill is not None:
                self._refill.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._refill

    async def _end_processes(self) -> None:
        spares = [spare.end() for spare in self._spares]
        self._spares.clear()
        ends = asyncio.gather(*spares, *(session.end() for session in self._sessions), *self._ending)
        # Shielded: who gives up waiting must not cancel what is waited for, which releases the descriptors.
        if not all(await asyncio.shield(ends)):
            raise SandboxError(UNDEAD)

    async def _close_zygote(self) -> None:
        if self._restart is not None:
            await asyncio.wait({self._restart})
        if self._zygote is not None:
            await self._zygote.close()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[ProcessSession]:
        """A fresh session; see `abaci.sandbox.base.Sandbox.session`.

        Raises:
            SandboxBusy: none became free within the configured wait.
            SandboxError: the sandbox is closed, or broken.
        """
        session = await self._open_session()
        self._sessions.add(session)
        try:
            yield session
        finally:
            # Killed here and now; that the kernel takes a while to clear away after it is nobody's wait.
            gone = session.end()
            self._sessions.discard(session)
            self._ending.add(gone)
            gone.add_done_callback(self._ended)

    def _ended(self, gone: asyncio.Future[bool]) -> None:
        """A session's process is gone: somebody else may have its place."""
        self._ending.discard(gone)
        self._slots.release()
        if not gone.result():
            _log.error(UNDEAD)

    async def _open_session(self) -> ProcessSession:
        has_slot = False
        try:
            async with asyncio.timeout(self._config.wait_s):
                await self._slots.acquire()
                has_slot = True
                process = await self._take()
        except BaseException as error:
            if has_slot:
                self._slots.release()
            if isinstance(error, TimeoutError):
                raise SandboxBusy(_busy(self._config, has_slot=has_slot)) from error
            raise
        return ProcessSession(process, self._take, self._policy, self._oom)

    async def _take(self) -> SessionProcess:
        """A fresh process: a spare where there is one, else a fork."""
        while self._spares:
            process = self._spares.pop(0)
            self._spare_taken.set()
            if process.is_alive:
                return process
            # If that was the kernel, for want of memory, it explains the end of no program.
            self._oom.claim()
            self._discard(process)
        self._target.missed(asyncio.get_running_loop().time())
        self._spare_taken.set()
        return await self._fork()

    async def _fork(self) -> SessionProcess:
        zygote = await self._live_zygote()
        return await zygote.spawn()

    async def _live_zygote(self) -> Zygote:
        """The zygote, started anew if it has died."""
        if self._is_open and self._zygote is not None and not self._zygote.is_alive:
            if self._restart is None or self._restart.done():
                self._restart = asyncio.create_task(self._start_again(self._zygote), name="abaci-sandbox-restart")
                self._restart.add_done_callback(_look_at)
            # Shielded: it may take longer than any one caller waits, and must come to an end all the same.
            await asyncio.shield(self._restart)
        # Looked at last: the sandbox may have been closed during the start.
        if not self._is_open or self._zygote is None:
            raise SandboxError("the sandbox is closed: use it inside its `async with`")
        return self._zygote

    async def _start_again(self, dead: Zygote) -> None:
        _log.warning("the sandbox's worker died and is started again; its last words: %r", dead.last_words())
        await dead.close()
        if self._is_open:
            self._zygote = await Zygote.start(self._launcher, self._config.start_s)
        # Closed meanwhile, perhaps by somebody who gave up waiting for this: nobody else would end it.
        if not self._is_open and self._zygote is not None:
            await self._zygote.close()

    async def _keep_spares(self) -> None:
        """Keep as many spares as the demand asks for, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._spare_taken.clear()
            while len(self._spares) < self._target.at(loop.time()):
                if self._spares:
                    await asyncio.sleep(_REFILL_DELAY_S)
                try:
                    self._spares.append(await self._fork())
                except SandboxError as error:
                    _log.warning("no spare sandbox session could be made: %s", error)
                    await asyncio.sleep(_REFILL_PAUSE_S)
            while len(self._spares) > self._target.at(loop.time()):
                self._discard(self._spares.pop())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CALM_S if self._target.is_raised else None):
                    await self._spare_taken.wait()

    def _discard(self, spare: SessionProcess) -> None:
        gone = spare.end()
        self._ending.add(gone)
        gone.add_done_callback(self._ending.discard)


def _look_at(restart: asyncio.Task[None]) -> None:
    """Its error goes to whoever waits; where nobody does any more, asyncio need not report it as forgotten."""
    if not restart.cancelled():
        restart.exception()


def _busy(config: PoolConfig, *, has_slot: bool) -> str:
    if has_slot:
        return (
            f"no sandbox session was ready within {config.wait_s:g} s, because the sandbox's worker is being started "
            "again or the machine is busy; raise wait_s, or run fewer chains at a time"
        )
    return (
        f"no sandbox session became free within {config.wait_s:g} s: {config.max_sessions} may be open at once; "
        "raise max_sessions or wait_s, or run fewer chains at a time"
    )


def _allow_descriptors(count: int) -> None:
    """Raise this process's own limit where so many sessions need it; where it may not, a session will say so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
