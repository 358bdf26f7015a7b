"""The session process: lock up, then run what the host sends until the host hangs up."""

from __future__ import annotations

import fcntl
import os
import resource
import select
import signal
import types

from abaci.sandbox.worker.hardening import Confinement, lock_up
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
_READ_BYTES = 4096
"""Enough for most programs at once; of a longer one the rest is read by its length."""


class _HostHungUp(Exception):
    """The other end of the channel is closed: the session is over."""


def run_session(channel: int, output: int, confinement: Confinement, base_bytes: int) -> None:
    """Become a session on these two descriptors. Called in a freshly forked process; returns when the host hangs up.

    Args:
        channel: our end of the session channel.
        output: the write end of the pipe that carries what programs print.
        confinement: what to lock up with.
        base_bytes: address space in use before any program ran (`mapped_bytes`): memory limits count from there.
    """
    _arrange_descriptors(channel, output)
    try:
        _reseed()
        lock_up(confinement)
    except OSError as error:
        _send(Reply(0, ReplyKind.BROKEN, error=f"the session could not be locked up: {error}"))
        return
    session = _Session(base_bytes)
    session.rehearse()
    _send(Reply(0, ReplyKind.READY))
    _practise()
    try:
        session.serve()
    except _HostHungUp:
        return


class _Session:
    """The loop, and the interrupt handler that only ever stops programs."""

    def __init__(self, base_bytes: int) -> None:
        self._base_bytes = base_bytes
        self._limit_bytes: int | None = None
        self._extra_bytes = 0
        self._is_running = False
        self._interpreter = Interpreter()

    def rehearse(self) -> None:
        """Run an empty program of our own: the pages it writes to are copied now and not while somebody waits."""
        self._interpreter.run("print(end='')")
        self._interpreter.forget_programs()

    def serve(self) -> None:
        """Run one program after another.

        Raises:
            _HostHungUp: the normal end.
        """
        while True:
            serial, source, memory_bytes = _receive()
            code = source.decode("utf-8", "surrogatepass")
            self._prepare(memory_bytes)
            try:
                ending = self._run(code)
            except BaseException as error:  # noqa: BLE001
                # An interrupt between the program's end and this line, or a program that broke the interpreter itself.
                ending = Ending(ReplyKind.ERROR, error=type(error).__name__)
            self._extra_bytes = _RECOVERY_BYTES if ending.kind is ReplyKind.MEMORY else 0
            self._set_soft_limit(_HEADROOM_BYTES)
            _send(Reply(serial, ending.kind, ending.result, ending.error, ending.traceback))

    def _prepare(self, memory_bytes: int) -> None:
        """Undo what the last program may have done to signals, descriptors and limits."""
        os.dup2(NULL_FD, 0)
        os.dup2(OUTPUT_FD, 1)
        os.dup2(OUTPUT_FD, 2)
        signal.signal(signal.SIGINT, self._on_interrupt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))
        if self._limit_bytes is None:
            self._limit_bytes = self._base_bytes + memory_bytes
            hard = self._limit_bytes + _HEADROOM_BYTES
            resource.setrlimit(resource.RLIMIT_AS, (self._limit_bytes, hard))
        self._set_soft_limit(self._extra_bytes)

    def _run(self, code: str) -> Ending:
        self._is_running = True
        try:
            return self._interpreter.run(code)
        finally:
            self._is_running = False
            for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
                # Left running, it would end the session between two programs.
                signal.setitimer(timer, 0)

    def _on_interrupt(self, signum: int, frame: types.FrameType | None) -> None:
        # Between programs an interrupt came too late: there is nothing left to stop.
        if self._is_running:
            raise KeyboardInterrupt

    def _set_soft_limit(self, extra_bytes: int) -> None:
        if self._limit_bytes is not None:
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (min(self._limit_bytes + extra_bytes, hard), hard))


def _arrange_descriptors(channel: int, output: int) -> None:
    """Keep channel, output and /dev/null at their numbers, and close everything else that the zygote had open."""
    null = os.open("/dev/null", os.O_RDONLY)
    # Out of the way first: any of the three may already have the number that another one is to get.
    sources = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, NULL_FD + 1) for descriptor in (channel, output, null)]
    for target, source in zip((CHANNEL_FD, OUTPUT_FD, NULL_FD), sources, strict=True):
        os.dup2(source, target, inheritable=False)
    for target, source in ((0, NULL_FD), (1, OUTPUT_FD), (2, OUTPUT_FD)):
        os.dup2(source, target)
    os.closerange(3, CHANNEL_FD)
    os.closerange(NULL_FD + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


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


def _reseed() -> None:
    """Give NumPy's global generator a seed of its own; Python's `random` does so by itself after a fork."""
    import numpy

    numpy.random.seed(int.from_bytes(os.urandom(4), "little"))


def _receive() -> tuple[int, bytes, int]:
    """The next request: its serial number, code and memory. The host sends one at a time, so nothing follows it.

    Raises:
        _HostHungUp: there are no more.
    """
    data = bytearray()
    end = REQUEST.size
    while len(data) < end:
        part = os.read(CHANNEL_FD, max(_READ_BYTES, end - len(data)))
        if not part:
            raise _HostHungUp
        data += part
        if end == REQUEST.size <= len(data):
            end += REQUEST.unpack_from(data)[1]
    serial, _, memory_bytes = REQUEST.unpack_from(data)
    return serial, bytes(data[REQUEST.size :]), memory_bytes


def _send(reply: Reply) -> None:
    """Send `reply` whole.

    Raises:
        _HostHungUp: nobody listens any more.
    """
    rest = memoryview(reply.pack())
    while rest:
        try:
            rest = rest[os.write(CHANNEL_FD, rest) :]
        except BrokenPipeError as error:
            raise _HostHungUp from error
