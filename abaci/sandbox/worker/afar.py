"""The zygote in a machine of its own (gVisor): it forks sessions, and speaks with the host over one byte stream.

Such a kernel gives no pidfds, takes no descriptors from the host, and has no Landlock: the container shows nothing but
the interpreter and its libraries instead, with no place to write and no `/proc`.
"""

from __future__ import annotations

import mmap
import os
import resource
import signal
import socket
import struct
import types

from abaci.sandbox.worker.hardening import Confinement
from abaci.sandbox.worker.session import Session, reserve_descriptors
from abaci.sandbox.worker.stream import FrameKind, Multiplexer, StreamEnded
from abaci.sandbox.worker.warm import warm_up
from abaci.sandbox.worker.zygote import be_session

_STATUS = struct.Struct("<i")
_MAX_ADDRESS = 1 << 47


def serve(confinement_json: str) -> None:
    """Warm up, report ready, and fork sessions until standard input ends. Whatever is left ends with this process."""
    confinement = Confinement.from_json(confinement_json)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    inbound, outbound = os.dup(0), os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    os.close(null)
    reserve_descriptors()
    warm_up()
    zygote = _Zygote(inbound, outbound, confinement)
    try:
        zygote.serve()
    except StreamEnded:
        return


class _Zygote:
    def __init__(self, inbound: int, outbound: int, confinement: Confinement) -> None:
        self._multiplexer = Multiplexer(inbound, outbound, self._on_frame)
        self._sessions: dict[int, int] = {}
        self._template = Session(confinement, address_space_bytes())
        self._bell, self._wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._multiplexer.watch(self._bell, self._reap)
        signal.signal(signal.SIGCHLD, _do_nothing)
        signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Until the stream ends.

        Raises:
            StreamEnded: always, in the end.
        """
        self._multiplexer.send(FrameKind.READY, 0)
        while True:
            self._multiplexer.turn()

    def _on_frame(self, kind: FrameKind, session: int, payload: bytes) -> None:
        if kind is FrameKind.SPAWN:
            try:
                self._spawn(session)
            except OSError as error:
                self._multiplexer.send(FrameKind.FAILED, session, str(error).encode())
        elif kind is FrameKind.SIGNAL:
            pid = next((pid for pid, number in self._sessions.items() if number == session), None)
            # Ours and not yet reaped, so the number is nobody else's.
            if pid is not None:
                os.kill(pid, payload[0])

    def _spawn(self, session: int) -> None:
        ours, theirs = socket.socketpair()
        read_fd, write_fd = os.pipe()
        try:
            pid = os.fork()
            if pid == 0:
                self._become_session(theirs.fileno(), write_fd)
        except OSError:
            ours.close()
            os.close(read_fd)
            raise
        finally:
            theirs.close()
            os.close(write_fd)
        self._sessions[pid] = session
        self._multiplexer.join(session, ours.detach(), read_fd, is_output_ours=True)
        self._multiplexer.send(FrameKind.SPAWNED, session)

    def _become_session(self, channel: int, output: int) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # The session closes every descriptor up to this limit, one by one where the kernel knows no other way.
        highest = max(self._multiplexer.highest_descriptor, channel, output, self._wakeup)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(highest + 8, 128), hard), hard))
        be_session(self._template, channel, output)

    def _reap(self) -> None:
        os.read(self._bell, 4096)
        while self._sessions:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            session = self._sessions.pop(pid, None)
            if session is not None:
                self._multiplexer.send(FrameKind.EXITED, session, _STATUS.pack(status))


def address_space_bytes() -> int:
    """Bytes of address space in use by this process, found with the limit on it: without /proc nobody says."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    low, high = 0, _MAX_ADDRESS if hard == resource.RLIM_INFINITY else hard
    try:
        while high - low > mmap.PAGESIZE:
            middle = (low + high) // 2
            resource.setrlimit(resource.RLIMIT_AS, (middle, hard))
            try:
                mmap.mmap(-1, mmap.PAGESIZE).close()
                high = middle
            except OSError:
                low = middle
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return high


def _do_nothing(_: int, __: types.FrameType | None) -> None:
    """A handler, so that the signal rings the bell."""
