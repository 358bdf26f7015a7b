"""The host's side of one session process: send it a program, watch it, stop it, and say how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from dataclasses import dataclass
from enum import Enum

from abaci.errors import SandboxError, SessionClosed
from abaci.sandbox.base import OUTPUT_FLOOD_FACTOR, Limits
from abaci.sandbox.capture import READ_BYTES, OutputCapture
from abaci.sandbox.handle import Handle
from abaci.sandbox.worker.wire import Reply, ReplyKind, pack_request, parse_reply

SOFT_GRACE_S = 0.3
"""How long an interrupted program may take to end by itself, in seconds, before its process is killed."""
EXIT_NOTE_S = 0.25
"""How long to wait, in seconds, for the zygote to say why a process ended."""
_GONE_S = 15.0
"""How long a killed process may take to go, in seconds: hundreds at once, on a busy machine, take a while."""
_WATCH_S = 0.002
"""How long output may wait in its pipe, in seconds: most programs have ended by then, and cost no wake-up for it."""
_MAX_DRAIN_READS = 32
_PROGRAM_KINDS = (ReplyKind.OK, ReplyKind.ERROR, ReplyKind.MEMORY)
_CORRUPTED = "the program corrupted the session's control channel, and its process was killed"
_ENDED = "the program ended its process"
UNDEAD = (
    f"a sandbox session's process did not die within {_GONE_S:g} s of SIGKILL: it waits for the machine, a disk "
    "perhaps; look at the state `D` in `ps`"
)


class Stop(Enum):
    """Why the host stopped a program."""

    TIMEOUT = "timeout"
    OUTPUT_LIMIT = "output_limit"
    MEMORY = "memory"


@dataclass(frozen=True)
class Ended:
    """How a program ended, as the host saw it.

    `reply` is None when the process died, or had to be killed, before it answered; `fault` then says what is known.
    """

    output: str
    duration_s: float
    stop: Stop | None
    reply: Reply | None
    fault: str | None = None
    signal: int | None = None


class SessionProcess:
    """One process. Everything runs on the event loop that made it.

    Args:
        channel: our end of the session channel, non-blocking.
        output_fd: the read end of its standard output, non-blocking; owned by this object from now on.
    """

    def __init__(self, channel: socket.socket, output_fd: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._channel = channel
        self._output_fd = output_fd
        self._handle: Handle | None = None
        self._received = bytearray()
        self._serial = 0
        self._unsent = b""
        self._capture = OutputCapture(0)
        self._flood_bytes = 0
        self._stop: Stop | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._is_watched = False
        self._fault: str | None = None
        # The first reply may come before anybody waits for it.
        self._waiting: asyncio.Future[Reply | None] = self._loop.create_future()
        self._ready = self._waiting
        self._exit_status: asyncio.Future[int] = self._loop.create_future()
        self._is_closed = False
        self._gone: asyncio.Future[bool] = self._loop.create_future()
        self._is_worker_lost = False
        self._loop.add_reader(channel.fileno(), self._on_channel)

    # --- life ---------------------------------------------------------------------------------------------------------

    @property
    def is_alive(self) -> bool:
        """False once the process has ended, broke the protocol, or was killed."""
        return self._fault is None and not self._is_closed

    @property
    def pid(self) -> int | None:
        """The id of the process on this machine; None where it has ended, or another kernel runs it."""
        # Reaped, it has given its number back, which may be somebody else's by now.
        return None if self._handle is None or self._exit_status.done() else self._handle.pid

    def adopt(self, handle: Handle) -> None:
        """Take over the handle of the process."""
        self._handle = handle
        if self._is_closed:
            handle.send_signal(signal.SIGKILL)
            self._handle = None
            os.close(handle.descriptor)

    def exited(self, status: int) -> None:
        """The zygote reports the wait status of the process."""
        if not self._exit_status.done():
            self._exit_status.set_result(status)

    def worker_lost(self) -> None:
        """The zygote died, and this process with it: what ends now is the sandbox's fault, not the program's."""
        self._is_worker_lost = True
        self.exited(0)
        self._break("the sandbox's worker has died")

    async def ready(self) -> None:
        """Wait until the process is locked up and waits for its first program.

        Raises:
            SandboxError: it could not be locked up.
        """
        reply = await self._ready
        if reply is None or reply.kind is not ReplyKind.READY:
            reason = self._fault if reply is None else reply.error
            raise SandboxError(f"a sandbox session could not be started: {reason}")

    def kill(self, fault: str = "the session was closed") -> None:
        """Kill the process now; a program that runs ends with `fault`."""
        self._signal(signal.SIGKILL)
        self._break(fault)

    def stop_for_memory(self, budget_bytes: int) -> None:
        """Kill the process, because all of them together hold more than `budget_bytes` and it holds the most."""
        if self._is_running and self._serial:
            self._stop = Stop.MEMORY
        self.kill(
            f"the program was killed because all programs together held more than {budget_bytes >> 20} MiB, "
            "and this one the most"
        )

    def end(self) -> asyncio.Future[bool]:
        """Kill the process; every descriptor is released once it is gone.

        Returns:
            done within a bounded time: whether it is gone; False where even SIGKILL did not end it in time.
        """
        if self._is_closed:
            return self._gone
        self.kill()
        self._is_closed = True
        self._unwatch()
        if self._handle is None:
            self._release(True)
            return self._gone
        timer = self._loop.call_later(_GONE_S, self._release, False)
        self._gone.add_done_callback(lambda _: timer.cancel())
        self._loop.add_reader(self._handle.descriptor, self._release, True)
        return self._gone

    async def close(self) -> None:
        """`end`, and wait until the process is gone.

        Raises:
            SandboxError: it does not die.
        """
        if not await asyncio.shield(self.end()):
            raise SandboxError(UNDEAD)

    # --- programs -----------------------------------------------------------------------------------------------------

    async def run(self, code: str, limits: Limits, memory_bytes: int) -> Ended:
        """Run `code` and report how it ended; the process may be dead afterwards.

        Cancellation kills the process.

        Raises:
            SessionClosed: `close` was called meanwhile.
            SandboxError: the process died because its zygote did.
        """
        self._serial = (self._serial + 1) % (1 << 32)
        self._capture = OutputCapture(limits.output_bytes)
        self._flood_bytes = limits.output_bytes * OUTPUT_FLOOD_FACTOR
        self._stop = None
        started = time.perf_counter()
        expected = self._expect_reply()
        try:
            self._send(pack_request(self._serial, code, memory_bytes))
            # After the request is on its way: the program begins meanwhile.
            self._timers = [self._loop.call_later(min(_WATCH_S, limits.timeout_s), self._watch, limits.timeout_s)]
            reply = await expected
            if reply is not None and (reply.serial != self._serial or reply.kind not in _PROGRAM_KINDS):
                self.kill(_CORRUPTED)
                reply = None
            duration_s = time.perf_counter() - started
            self._check_open()
            self._drain()
            signal_number = await self._death_signal() if self._fault == _ENDED and self._stop is None else None
        except asyncio.CancelledError:
            self.kill("the program was cancelled")
            raise
        finally:
            for timer in self._timers:
                timer.cancel()
            self._unwatch()
        if reply is None and self._is_worker_lost and self._stop is None:
            raise SandboxError("the sandbox's worker died while a program ran; the next program gets a new one")
        return Ended(self._capture.text(), duration_s, self._stop, reply, self._fault, signal_number)

    @property
    def _is_running(self) -> bool:
        return not self._waiting.done()

    def _interrupt(self, cause: Stop) -> None:
        """Ask the program to end: SIGINT, which Python turns into a KeyboardInterrupt."""
        if self._stop is None and self._is_running:
            self._stop = cause
            self._signal(signal.SIGINT)

    def _give_up(self) -> None:
        # On a loop that was blocked for long, the reply and the end of the time come in one turn.
        if self._is_running:
            self.kill("the program did not end when interrupted, and its process was killed")

    # --- the channel --------------------------------------------------------------------------------------------------

    def _send(self, request: bytes) -> None:
        """Send `request`, now and as the process takes it; a dead one is reported as its reply."""
        if self._fault is not None:
            return
        self._unsent = request
        if not self._send_more():
            self._loop.add_writer(self._channel.fileno(), self._send_rest)

    def _send_more(self) -> bool:
        """Send what the process takes now; whether nothing is left to do."""
        try:
            self._unsent = self._unsent[self._channel.send(self._unsent) :]
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            self._break(_ENDED)
            return True
        return not self._unsent

    def _send_rest(self) -> None:
        if self._send_more():
            self._loop.remove_writer(self._channel.fileno())

    def _expect_reply(self) -> asyncio.Future[Reply | None]:
        """The next reply; None once the process is dead or broken."""
        self._waiting = self._loop.create_future()
        if self._fault is not None:
            self._waiting.set_result(None)
        return self._waiting

    def _on_channel(self) -> None:
        try:
            data = self._channel.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self._break(_ENDED)
            return
        self._received += data
        try:
            parsed = parse_reply(self._received)
        except ValueError:
            parsed = None
            self.kill(_CORRUPTED)
        if parsed is None:
            return
        reply, size = parsed
        del self._received[:size]
        is_expected = self._is_running
        if is_expected:
            self._waiting.set_result(reply)
        # A reply nobody asked for, or more than one: whoever sent that is not the session's honest loop.
        if self._received or not is_expected:
            self.kill(_CORRUPTED)

    def _break(self, fault: str) -> None:
        """Record that the process is of no use any more, and wake whoever waits for it."""
        if self._fault is None:
            self._fault = fault
            self._loop.remove_reader(self._channel.fileno())
            self._loop.remove_writer(self._channel.fileno())
        if not self._waiting.done():
            self._waiting.set_result(None)

    # --- output -------------------------------------------------------------------------------------------------------

    def _watch(self, timeout_s: float) -> None:
        """The program runs for a while: take its output as it comes, and mind its time."""
        if self._is_closed:
            return
        self._is_watched = True
        self._loop.add_reader(self._output_fd, self._on_output)
        left_s = max(0.0, timeout_s - _WATCH_S)
        self._timers = [
            self._loop.call_later(left_s, self._interrupt, Stop.TIMEOUT),
            self._loop.call_later(left_s + SOFT_GRACE_S, self._give_up),
        ]

    def _unwatch(self) -> None:
        if self._is_watched:
            self._is_watched = False
            self._loop.remove_reader(self._output_fd)

    def _on_output(self) -> None:
        try:
            data = os.read(self._output_fd, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            self._unwatch()
            return
        self._capture.add(data)
        if self._capture.total_bytes > self._flood_bytes and self._stop is None:
            self._interrupt(Stop.OUTPUT_LIMIT)
            self._loop.call_later(SOFT_GRACE_S, self._give_up_flood, self._serial)

    def _give_up_flood(self, serial: int) -> None:
        if serial == self._serial:
            self._give_up()

    def _drain(self) -> None:
        """Take what the program wrote before it ended. A thread it left behind may write for ever: bounded."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(_MAX_DRAIN_READS):
                data = os.read(self._output_fd, READ_BYTES)
                if not data:
                    return
                self._capture.add(data)
                if len(data) < READ_BYTES:
                    return

    # --- the end ------------------------------------------------------------------------------------------------------

    def _signal(self, number: int) -> None:
        if self._handle is not None:
            self._handle.send_signal(number)

    async def _death_signal(self) -> int | None:
        """The signal that ended the process; None where it ended otherwise, or nobody says in time."""
        try:
            async with asyncio.timeout(EXIT_NOTE_S):
                status = await asyncio.shield(self._exit_status)
        except TimeoutError:
            return None
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else None

    def _release(self, is_gone: bool) -> None:
        # On a loop that was blocked for long, the end and the time-out come in one turn.
        if self._gone.done():
            return
        self._channel.close()
        os.close(self._output_fd)
        if self._handle is not None:
            self._loop.remove_reader(self._handle.descriptor)
            os.close(self._handle.descriptor)
            self._handle = None
        self.exited(0)
        self._gone.set_result(is_gone)

    def _check_open(self) -> None:
        # Once closed, the descriptors' numbers may belong to somebody else.
        if self._is_closed:
            raise SessionClosed("the sandbox session was closed while a program ran")
