"""The session process: lock up, then run what the host sends until the host hangs up."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import resource
import select
import signal
import types
from collections.abc import Iterator

from abaci.sandbox.worker.hardening import Confinement, LockUp
from abaci.sandbox.worker.program import Ending, Interpreter
from abaci.sandbox.worker.warm import SPARE_STEPS
from abaci.sandbox.worker.wire import REQUEST, Reply, ReplyKind

# High numbers, so that a program that closes or writes to "the next few" descriptors does not hit them by chance.
CHANNEL_FD, OUTPUT_FD, NULL_FD = 60, 61, 62

_HEADROOM_BYTES = 16 << 20
"""Memory beyond the program's limit, in bytes, so that a full session can still report that it is full."""
_RECOVERY_BYTES = 8 << 20
"""What of it the program after a full one may use, in bytes: it takes some to say `del x`."""
_IDLE_MS = 10
"""For how long nobody must have wanted a session before it practises, in milliseconds."""
_TWISTER_BYTES = 624 * 4
"""The words of a Mersenne Twister. Any will do that are not all zero."""
_READ_BYTES = 4096
"""Enough for most programs at once; of a longer one the rest is read by its length."""


class _HostHungUp(Exception):
    """The other end of the channel is closed: the session is over."""


class Session:
    """What every session begins as: made by the zygote, run by each process that it forks.

    Args:
        confinement: what to lock up with.
        base_bytes: address space in use before any program ran (`mapped_bytes`): memory limits count from there.

    Raises:
        OSError: the lock-up cannot be prepared.
    """

    def __init__(self, confinement: Confinement, base_bytes: int) -> None:
        self._lock_up = LockUp(confinement)
        self._kept = sorted((*self._lock_up.descriptors, CHANNEL_FD, OUTPUT_FD, NULL_FD))
        self._dice = Dice()
        self._base_bytes = base_bytes
        self._limit_bytes: int | None = None
        self._extra_bytes = 0
        self._is_running = False
        with _as_in_a_session():
            self._interpreter = Interpreter()
            self._rehearse()

    def run(self, channel: int, output: int) -> None:
        """Become a session on these two descriptors, in a freshly forked process; returns when the host hangs up.

        Args:
            channel: our end of the session channel.
            output: the write end of the pipe that carries what programs print.
        """
        _arrange_descriptors(channel, output, self._kept)
        try:
            self._dice.throw_anew()
            self._lock_up.apply()
        except OSError as error:
            _send(Reply(0, ReplyKind.BROKEN, error=f"the session could not be locked up: {error}"))
            return
        for descriptor in self._lock_up.descriptors:
            os.close(descriptor)
        self._clear_up()
        self._rehearse()
        _send(Reply(0, ReplyKind.READY))
        _practise()
        try:
            self._serve()
        except _HostHungUp:
            return

    def _rehearse(self) -> None:
        """Run an empty program of our own: the pages it writes to are copied now and not while somebody waits."""
        self._answer(0, "print(end='')")
        self._interpreter.forget_programs()

    def _serve(self) -> None:
        """Run one program after another.

        Raises:
            _HostHungUp: the normal end.
        """
        while True:
            serial, code, memory_bytes = _receive()
            self._limit_memory(memory_bytes)
            _send(self._answer(serial, code))
            # Only now, when nobody waits.
            self._clear_up()

    def _answer(self, serial: int, code: str) -> Reply:
        """Run `code`, and say how it ended."""
        try:
            ending = self._run(code)
        except BaseException as error:  # noqa: BLE001
            # An interrupt between the program's end and this line, or a program that broke the interpreter itself.
            ending = Ending(ReplyKind.ERROR, error=type(error).__name__)
        self._extra_bytes = _RECOVERY_BYTES if ending.kind is ReplyKind.MEMORY else 0
        self._set_soft_limit(_HEADROOM_BYTES)
        return Reply(serial, ending.kind, ending.result, ending.error, ending.traceback)

    def _clear_up(self) -> None:
        """Undo what the last program may have done to timers, signals and descriptors."""
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            # Left running, it would end the session between two programs.
            signal.setitimer(timer, 0)
        os.dup2(NULL_FD, 0)
        os.dup2(OUTPUT_FD, 1)
        os.dup2(OUTPUT_FD, 2)
        signal.signal(signal.SIGINT, self._on_interrupt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))

    def _run(self, code: str) -> Ending:
        self._is_running = True
        try:
            return self._interpreter.run(code)
        finally:
            self._is_running = False

    def _on_interrupt(self, signum: int, frame: types.FrameType | None) -> None:
        # Between programs an interrupt came too late: there is nothing left to stop.
        if self._is_running:
            raise KeyboardInterrupt

    def _limit_memory(self, memory_bytes: int) -> None:
        if self._limit_bytes is None:
            self._limit_bytes = self._base_bytes + memory_bytes
            hard = self._limit_bytes + _HEADROOM_BYTES
            resource.setrlimit(resource.RLIMIT_AS, (self._limit_bytes, hard))
        self._set_soft_limit(self._extra_bytes)

    def _set_soft_limit(self, extra_bytes: int) -> None:
        if self._limit_bytes is not None:
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (min(self._limit_bytes + extra_bytes, hard), hard))


def reserve_descriptors() -> None:
    """Take the numbers that sessions use, in the zygote, before anything else can get them."""
    null = os.open("/dev/null", os.O_RDONLY)
    for number in (CHANNEL_FD, OUTPUT_FD, NULL_FD):
        os.dup2(null, number, inheritable=False)
    os.close(null)


@contextlib.contextmanager
def _as_in_a_session() -> Iterator[None]:
    """Standard streams that are what they are in a session: nothing to read, and a pipe to write to."""
    own = [os.dup(number) for number in range(3)]
    read_fd, write_fd = os.pipe()
    try:
        for number, descriptor in enumerate((NULL_FD, write_fd, write_fd)):
            os.dup2(descriptor, number)
        yield
    finally:
        for number, descriptor in enumerate(own):
            os.dup2(descriptor, number)
        for descriptor in (*own, read_fd, write_fd):
            os.close(descriptor)


def _arrange_descriptors(channel: int, output: int, kept: list[int]) -> None:
    """Put channel and output at their numbers, where /dev/null is in the zygote, and close all but `kept`, in order."""
    os.dup2(channel, CHANNEL_FD, inheritable=False)
    os.dup2(output, OUTPUT_FD, inheritable=False)
    first = 3
    for descriptor in kept:
        if first < descriptor:
            os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _practise() -> None:
    """While nobody wants this session, do what most programs begin with, in a namespace that is thrown away.

    It copies the pages of SymPy that every program would have to copy first: two thirds of the time that a fresh
    session takes for a small `solve`. Under load a session is asked for at once, and does none of it.
    """
    poll = select.poll()
    poll.register(CHANNEL_FD, select.POLLIN)
    namespace: dict[str, object] = {}
    wait_ms = _IDLE_MS
    for step in SPARE_STEPS:
        if poll.poll(wait_ms):
            return
        exec(step, namespace)  # noqa: S102
        wait_ms = 0


def mapped_bytes() -> int:
    """Bytes of address space in use by this process: mostly the libraries, shared with every session."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


class Dice:
    """The two generators of random numbers that programs share with the zygote: Python's and NumPy's global ones."""

    def __init__(self) -> None:
        import numpy
        from numpy.random.mtrand import get_bit_generator

        # The state of a Mersenne Twister: its words, then how many of them have been used. After this: all.
        numpy.random.seed(0)
        self._address = get_bit_generator().ctypes.state_address

    def throw_anew(self) -> None:
        """Give both a state of this process's own."""
        random.seed()
        # Not `numpy.random.seed`, which writes to sixty pages.
        ctypes.memmove(self._address, os.urandom(_TWISTER_BYTES), _TWISTER_BYTES)


def _receive() -> tuple[int, str, int]:
    """The next request: its serial number, code and memory. The host sends one at a time, so nothing follows it.

    Raises:
        _HostHungUp: there are no more.
    """
    data = b""
    end = REQUEST.size
    while len(data) < end:
        part = os.read(CHANNEL_FD, max(_READ_BYTES, end - len(data)))
        if not part:
            raise _HostHungUp
        data += part
        if end == REQUEST.size <= len(data):
            serial, size, memory_bytes = REQUEST.unpack_from(data)
            end += size
    return serial, data[REQUEST.size :].decode("utf-8", "surrogatepass"), memory_bytes


def _send(reply: Reply) -> None:
    """Send `reply` whole.

    Raises:
        _HostHungUp: nobody listens any more.
    """
    rest = reply.pack()
    while rest:
        try:
            rest = rest[os.write(CHANNEL_FD, rest) :]
        except BrokenPipeError as error:
            raise _HostHungUp from error
