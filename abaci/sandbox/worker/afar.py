"""The zygote in a machine of its own (gVisor), and the relay that speaks for it with the host over one byte stream.

Such a kernel gives no pidfds, takes no descriptors from the host, and has no Landlock: the container shows nothing but
the interpreter and its libraries instead, with no place to write and no `/proc`.

Relay and zygote are two processes, because every session begins as a copy of the zygote: what had passed through its
memory, the programs and outputs of other sessions, could be read there by all that come later.
"""

from __future__ import annotations

import mmap
import os
import resource
import select
import signal
import socket
import struct
import types

from abaci.sandbox.worker.hardening import Confinement
from abaci.sandbox.worker.session import Session, reserve_descriptors
from abaci.sandbox.worker.stream import FrameKind, Multiplexer, StreamEnded
from abaci.sandbox.worker.warm import warm_up
from abaci.sandbox.worker.wire import CONTROL_BYTES, Control, ControlKind, parse_control
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
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # Before a byte of the stream is read.
    if os.fork() == 0:
        ours.close()
        os.close(inbound)
        os.close(outbound)
        _be_zygote(theirs, confinement)
    theirs.close()
    try:
        _Relay(inbound, outbound, ours).serve()
    except StreamEnded:
        return


def _be_zygote(control: socket.socket, confinement: Confinement) -> None:
    status = 1
    try:
        warm_up()
        _Zygote(control, confinement).serve()
        status = 0
    finally:
        os._exit(status)


class _Relay:
    """The first process of the machine: the sessions' bytes pass here, and the zygote is told what the host wants."""

    def __init__(self, inbound: int, outbound: int, zygote: socket.socket) -> None:
        self._zygote = zygote
        self._multiplexer = Multiplexer(inbound, outbound, self._on_frame)
        self._multiplexer.watch(zygote.fileno(), self._on_control)

    def serve(self) -> None:
        """Until the stream ends, or the zygote.

        Raises:
            StreamEnded: always, in the end.
        """
        while True:
            self._multiplexer.turn()

    def _on_frame(self, kind: FrameKind, session: int, payload: bytes) -> None:
        try:
            if kind is FrameKind.SPAWN:
                self._spawn(session)
            elif kind is FrameKind.SIGNAL:
                self._zygote.send(Control(ControlKind.SIGNAL, session, payload[0]).pack())
        except (BrokenPipeError, ConnectionResetError) as error:
            raise StreamEnded from error
        except OSError as error:
            self._multiplexer.send(FrameKind.FAILED, session, str(error).encode())

    def _spawn(self, session: int) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            read_fd, write_fd = os.pipe()
            try:
                socket.send_fds(self._zygote, [Control(ControlKind.SPAWN, session).pack()], [theirs.fileno(), write_fd])
            except OSError:
                os.close(read_fd)
                raise
            finally:
                os.close(write_fd)
            self._multiplexer.join(session, ours.detach(), read_fd, is_output_ours=True)

    def _on_control(self) -> None:
        """Pass on what the zygote says."""
        packet = self._zygote.recv(CONTROL_BYTES)
        if not packet:
            raise StreamEnded
        control = parse_control(packet)
        if control.kind is ControlKind.READY:
            self._multiplexer.send(FrameKind.READY, 0)
        elif control.kind is ControlKind.SPAWNED:
            self._multiplexer.send(FrameKind.SPAWNED, control.session)
        elif control.kind is ControlKind.FAILED:
            self._multiplexer.part(control.session)
            self._multiplexer.send(FrameKind.FAILED, control.session, control.text.encode())
        elif control.kind is ControlKind.EXITED:
            self._multiplexer.send(FrameKind.EXITED, control.session, _STATUS.pack(control.status))


class _Zygote:
    """Forks sessions and reports their ends; a bell tells of these where there are no pidfds."""

    def __init__(self, control: socket.socket, confinement: Confinement) -> None:
        self._control = control
        self._sessions: dict[int, int] = {}
        self._template = Session(confinement, address_space_bytes())
        self._bell, self._wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._poll.register(self._bell, select.POLLIN)
        signal.signal(signal.SIGCHLD, _do_nothing)
        signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Until the relay hangs up."""
        self._control.send(Control(ControlKind.READY).pack())
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._bell:
                    self._reap()
                elif not self._answer():
                    return

    def _answer(self) -> bool:
        """Handle one packet; False: the relay hung up."""
        packet, descriptors, _, _ = socket.recv_fds(self._control, CONTROL_BYTES, 2)
        if not packet:
            return False
        request = parse_control(packet)
        if request.kind is ControlKind.SIGNAL:
            self._signal(request.session, request.status)
            return True
        channel, output = descriptors
        try:
            self._spawn(request.session, channel, output)
        except OSError as error:
            self._control.send(Control(ControlKind.FAILED, request.session, text=str(error)).pack())
        finally:
            os.close(channel)
            os.close(output)
        return True

    def _signal(self, session: int, signum: int) -> None:
        pid = next((pid for pid, number in self._sessions.items() if number == session), None)
        # Ours and not yet reaped, so the number is nobody else's.
        if pid is not None:
            os.kill(pid, signum)

    def _spawn(self, session: int, channel: int, output: int) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_session(channel, output)
        self._sessions[pid] = session
        self._control.send(Control(ControlKind.SPAWNED, session).pack())

    def _become_session(self, channel: int, output: int) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # The session closes every descriptor up to this limit, one by one where the kernel knows no other way.
        highest = max(self._control.fileno(), channel, output, self._bell, self._wakeup)
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
                self._control.send(Control(ControlKind.EXITED, session, status).pack())


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
