"""The host's side of the zygote: start it, wait until it is warm, have it fork sessions, end it with all of them."""

from __future__ import annotations

import array
import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from dataclasses import dataclass
from typing import Protocol

from abaci.errors import SandboxError, SandboxUnavailable
from abaci.sandbox.handle import Handle, LineHandle, PidHandle
from abaci.sandbox.process import SessionProcess
from abaci.sandbox.waiting import readable_within
from abaci.sandbox.worker.wire import CONTROL_BYTES, Control, ControlKind, parse_control

SPAWN_S = 10.0
"""How long a fork and its lock-up may take, in seconds; 5 ms on an idle machine."""
_STDERR_BYTES = 8192


@dataclass(frozen=True)
class Launched:
    """A started zygote: our child process, and the zygote's own id where that is a descendant of it.

    Args:
        process: our child.
        zygote_pid: the zygote, or whoever stands for it.
        end_s: how long both may take to end, in seconds, once their control channel is closed.
        sees_hang_up: whether it notices that even while it starts; otherwise it is killed then.
        is_spent_when_fork_fails: whether what it runs in is used up then and must be replaced, with all its sessions.
    """

    process: subprocess.Popen[bytes]
    zygote_pid: int
    end_s: float = 15.0
    sees_hang_up: bool = False
    is_spent_when_fork_fails: bool = False


class Launcher(Protocol):
    """What an isolation tier adds: how the zygote's process is started."""

    @property
    def tier(self) -> str:
        """The tier's name, for people."""
        ...

    @property
    def advice(self) -> str:
        """What to do where the tier does not work."""
        ...

    async def launch(self, control_fd: int, stderr_fd: int) -> Launched:
        """Start the zygote with these two descriptors, and nothing else, inherited.

        Raises:
            SandboxUnavailable: the tier does not work here.
        """
        ...


class Zygote:
    """One zygote process. Make it with `Zygote.start`; it is bound to the event loop that made it."""

    def __init__(self, launcher: Launcher, launched: Launched, control: socket.socket, stderr_fd: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._launcher = launcher
        self._launched = launched
        self._pidfd = _open_pidfd(launched)
        self._control = control
        self._stderr_fd = stderr_fd
        self._sessions: dict[int, SessionProcess] = {}
        self._spawning: dict[int, asyncio.Future[None]] = {}
        self._serial = 0
        # It forks one after the other; asking for more at once would only fill the channel and the processors.
        self._forking = asyncio.Semaphore(max(2, os.cpu_count() or 1))
        self._warm: asyncio.Future[None] = self._loop.create_future()
        self._is_warm = False
        self._is_closed = False
        self.is_alive = True
        self._loop.add_reader(control.fileno(), self._on_control)

    @property
    def pid(self) -> int:
        """Its process id on this machine."""
        return self._launched.zygote_pid

    def last_words(self) -> str:
        """What it printed before it died; the end of it where it is long. Read once, and before `close`."""
        with contextlib.suppress(OSError):
            return os.read(self._stderr_fd, 1 << 16).decode("utf-8", "replace").strip()[-_STDERR_BYTES:]
        return ""

    @classmethod
    async def start(cls, launcher: Launcher, timeout_s: float) -> Zygote:
        """A warm zygote.

        Raises:
            SandboxUnavailable: it did not start, or was not warm within `timeout_s`; says what it printed.
        """
        try:
            zygote = await cls._launch(launcher)
        except OSError as error:
            raise SandboxUnavailable(f"the {launcher.tier} sandbox's worker could not be started: {error}") from error
        try:
            async with asyncio.timeout(timeout_s):
                await zygote._warm
        except TimeoutError as error:
            await zygote.close()
            raise SandboxUnavailable(
                f"the {launcher.tier} sandbox was not ready within {timeout_s:g} s: "
                "raise start_s, or see what keeps the machine busy"
            ) from error
        except BaseException:
            await zygote.close()
            raise
        return zygote

    @classmethod
    async def _launch(cls, launcher: Launcher) -> Zygote:
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.callback(near.close)
            theirs.callback(far.close)
            read_fd, write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            ours.callback(os.close, read_fd)
            theirs.callback(os.close, write_fd)
            near.setblocking(False)
            launched = await launcher.launch(far.fileno(), write_fd)
            try:
                zygote = cls(launcher, launched, near, read_fd)
            except OSError:
                # No descriptor for it is left: it ends by itself at the hang-up, and is reaped.
                near.close()
                far.close()
                await asyncio.to_thread(_reap, launched)
                raise
            ours.pop_all()  # They are the zygote's from here on.
            return zygote

    async def spawn(self) -> SessionProcess:
        """A fresh session process, locked up and ready.

        Raises:
            SandboxError: the zygote is dead, or could not make one within `SPAWN_S`.
        """
        async with self._forking:
            return await self._spawn()

    async def _spawn(self) -> SessionProcess:
        if not self.is_alive:
            raise SandboxError("the sandbox's worker has died")
        self._serial += 1
        serial = self._serial
        forked: asyncio.Future[None] = self._loop.create_future()
        self._spawning[serial] = forked
        try:
            session = self._request_session(serial)
        except OSError as error:
            del self._spawning[serial]
            raise SandboxError(f"the host cannot open a session: {error}") from error
        try:
            async with asyncio.timeout(SPAWN_S):
                await forked
                await session.ready()
        except TimeoutError as error:
            await session.close()
            raise SandboxError(
                f"a sandbox session was not ready within {SPAWN_S:g} s: run fewer at a time, or see what keeps the "
                "machine busy"
            ) from error
        except BaseException:
            await session.close()
            raise
        finally:
            self._spawning.pop(serial, None)
        return session

    def _request_session(self, serial: int) -> SessionProcess:
        read_fd, write_fd = os.pipe()
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError:
            os.close(read_fd)
            os.close(write_fd)
            raise
        ours.setblocking(False)
        os.set_blocking(read_fd, False)
        session = SessionProcess(ours, read_fd)
        self._sessions[serial] = session
        try:
            socket.send_fds(self._control, [Control(ControlKind.SPAWN, serial).pack()], [theirs.fileno(), write_fd])
        except OSError as error:
            # Its queue is full or it is gone; either way this session will never be.
            self._failed(serial, f"the sandbox's worker takes no requests: {error}")
        finally:
            theirs.close()
            os.close(write_fd)
        return session

    # --- what the zygote says -----------------------------------------------------------------------------------------

    def _on_control(self) -> None:
        descriptors = array.array("i")
        try:
            packet, ancillary, _, _ = self._control.recvmsg(CONTROL_BYTES, socket.CMSG_SPACE(descriptors.itemsize))
        except (BlockingIOError, InterruptedError):
            return
        except ConnectionResetError:
            packet, ancillary = b"", []
        for _, _, data in ancillary:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        if not packet:
            self._lost("the sandbox's worker has died")
            return
        try:
            self._handle(parse_control(packet), list(descriptors))
        except ValueError as error:
            self._lost(f"the sandbox's worker sent nonsense: {error}")

    def _handle(self, message: Control, descriptors: list[int]) -> None:
        match message.kind:
            case ControlKind.READY:
                self._is_warm = True
                if not self._warm.done():
                    self._warm.set_result(None)
            case ControlKind.SPAWNED if len(descriptors) == 1:
                self._spawned(message.session, PidHandle(descriptors[0]))
            case ControlKind.SPAWNED_AFAR if len(descriptors) == 1:
                self._spawned(message.session, LineHandle(descriptors[0]))
            case ControlKind.SPAWNED | ControlKind.SPAWNED_AFAR if not descriptors:
                # The kernel drops it where this process may have no more. The session, which has run nothing yet, ends
                # by itself when its channel is closed.
                self._failed(message.session, "this process may open no more files: raise its limit (ulimit -n)")
            case ControlKind.FAILED:
                self._failed(message.session, message.text)
                if self._launched.is_spent_when_fork_fails:
                    self._lost(f"it could not fork: {message.text}")
            case ControlKind.EXITED:
                session = self._sessions.pop(message.session, None)
                if session is not None:
                    session.exited(message.status)
            case _:
                raise ValueError(f"unexpected {message.kind.name} with {len(descriptors)} descriptors")

    def _spawned(self, serial: int, handle: Handle) -> None:
        session = self._sessions.get(serial)
        if session is None:
            os.close(handle.descriptor)
            raise ValueError(f"a handle of session {serial}, which nobody asked for")
        session.adopt(handle)
        waiting = self._spawning.get(serial)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _failed(self, serial: int, reason: str) -> None:
        self._sessions.pop(serial, None)
        waiting = self._spawning.get(serial)
        if waiting is not None and not waiting.done():
            waiting.set_exception(SandboxError(f"a sandbox session could not be forked: {reason}"))

    def _lost(self, reason: str) -> None:
        """The zygote is gone, and the kernel has killed its sessions."""
        if not self.is_alive:
            return
        self.is_alive = False
        self._loop.remove_reader(self._control.fileno())
        if not self._warm.done():
            words = self.last_words() or reason
            message = f"the {self._launcher.tier} sandbox could not start: {words}. {self._launcher.advice}"
            self._warm.set_exception(SandboxUnavailable(message))
        for serial in list(self._spawning):
            self._failed(serial, reason)
        for session in self._sessions.values():
            session.worker_lost()
        self._sessions.clear()

    # --- the end ------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """End the zygote and every session of it; returns when all their processes are gone (bounded)."""
        if self._is_closed:
            return
        self._is_closed = True
        self._lost("the sandbox was closed")
        if not self._warm.cancelled():
            self._warm.exception()  # Looked at, so that asyncio does not report it as forgotten.
        self._control.close()
        try:
            # Busy importing, it may not see that its channel closed.
            is_heard = self._is_warm or self._launched.sees_hang_up
            if not is_heard or not await readable_within(self._pidfd, self._launched.end_s):
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            await self._wait_process()
        finally:
            os.close(self._pidfd)
            os.close(self._stderr_fd)
            self._stderr_fd = -1

    async def _wait_process(self) -> None:
        """Wait for our child, which ends after the zygote and all that was below it."""
        pidfd = os.pidfd_open(self._launched.process.pid)
        try:
            if not await readable_within(pidfd, self._launched.end_s):
                self._launched.process.kill()
                raise SandboxError(
                    f"the sandbox's worker did not end within {self._launched.end_s:g} s of being killed"
                )
            self._launched.process.wait()
        finally:
            os.close(pidfd)


def _reap(launched: Launched) -> None:
    try:
        launched.process.wait(launched.end_s)
    except subprocess.TimeoutExpired:
        launched.process.kill()
        launched.process.wait()


def _open_pidfd(launched: Launched) -> int:
    try:
        return os.pidfd_open(launched.zygote_pid)
    except ProcessLookupError:
        # It ended already, and its parent, our child, has reaped it; nobody but us reaps our child.
        return os.pidfd_open(launched.process.pid)
