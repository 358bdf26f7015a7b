"""The bridge between a host that passes descriptors and a zygote that takes none; both are played by the test."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from abaci.sandbox.container.bridge import Bridge
from abaci.sandbox.worker.stream import HEADER, FrameKind
from abaci.sandbox.worker.wire import CONTROL_BYTES, Control, ControlKind, parse_control

WAIT_S = 10.0


@dataclass
class Sides:
    """The host's end of the control channel, the zygote's end of the stream, and the bridge's thread."""

    host: socket.socket
    zygote: socket.socket
    thread: threading.Thread

    def spawn(self, session: int) -> tuple[socket.socket, int]:
        """Ask for a session as the host does; the host's ends of its channel and output."""
        ours, theirs = socket.socketpair()
        ours.settimeout(WAIT_S)
        read_fd, write_fd = os.pipe()
        packet = Control(ControlKind.SPAWN, session).pack()
        socket.send_fds(self.host, [packet], [theirs.fileno(), write_fd])
        theirs.close()
        os.close(write_fd)
        return ours, read_fd

    def frame(self) -> tuple[FrameKind, int, bytes]:
        """The next frame that the zygote gets."""
        kind, session, size = HEADER.unpack(self.zygote.recv(HEADER.size, socket.MSG_WAITALL))
        return FrameKind(kind), session, self.zygote.recv(size, socket.MSG_WAITALL) if size else b""

    def send(self, kind: FrameKind, session: int, payload: bytes = b"") -> None:
        """Send a frame as the zygote does."""
        self.zygote.sendall(HEADER.pack(kind, session, len(payload)) + payload)

    def told(self) -> tuple[Control, list[int]]:
        """What the host is told next, and the descriptors that come along."""
        packet, descriptors, _, _ = socket.recv_fds(self.host, CONTROL_BYTES, 1)
        return parse_control(packet), descriptors


@pytest.fixture
def sides() -> Iterator[Sides]:
    host, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    zygote, stream = socket.socketpair()
    for end in (host, zygote):
        end.settimeout(WAIT_S)
    with host, control, zygote, stream:
        thread = threading.Thread(target=Bridge(control, stream.fileno(), bytes).serve)
        thread.start()
        yield Sides(host, zygote, thread)
        zygote.shutdown(socket.SHUT_RDWR)
        thread.join(WAIT_S)
        assert not thread.is_alive()


def test_readiness_is_passed_on(sides: Sides) -> None:
    sides.send(FrameKind.READY, 0)
    assert sides.told() == (Control(ControlKind.READY), [])


def test_a_session_gets_its_request_its_signals_and_gives_its_output(sides: Sides) -> None:
    channel, output = sides.spawn(1)
    with channel, os.fdopen(output, "rb") as printed:
        assert sides.frame() == (FrameKind.SPAWN, 1, b"")
        sides.send(FrameKind.SPAWNED, 1)
        control, (line,) = sides.told()
        assert control == Control(ControlKind.SPAWNED_AFAR, 1)
        channel.sendall(b"request")
        assert sides.frame() == (FrameKind.CHANNEL, 1, b"request")
        os.write(line, bytes([signal.SIGINT]))
        assert sides.frame() == (FrameKind.SIGNAL, 1, bytes([signal.SIGINT]))
        sides.send(FrameKind.OUTPUT, 1, b"out")
        sides.send(FrameKind.CHANNEL, 1, b"reply")
        assert channel.recv(100) == b"reply"
        assert printed.read(3) == b"out"
        sides.send(FrameKind.OUTPUT, 1)
        sides.send(FrameKind.CHANNEL, 1)
        sides.send(FrameKind.EXITED, 1, struct.pack("<i", 9))
        assert sides.told() == (Control(ControlKind.EXITED, 1, 9), [])
        assert (os.read(line, 1), channel.recv(1), printed.read()) == (b"", b"", b"")
        os.close(line)


def test_a_session_that_could_not_be_forked_leaves_nothing_open(sides: Sides) -> None:
    channel, output = sides.spawn(3)
    with channel, os.fdopen(output, "rb") as printed:
        assert sides.frame() == (FrameKind.SPAWN, 3, b"")
        sides.send(FrameKind.FAILED, 3, b"no room")
        assert sides.told() == (Control(ControlKind.FAILED, 3, text="no room"), [])
        assert (channel.recv(1), printed.read()) == (b"", b"")


def test_a_host_that_drops_a_session_early_disturbs_no_other(sides: Sides) -> None:
    channel, output = sides.spawn(1)
    assert sides.frame() == (FrameKind.SPAWN, 1, b"")
    sides.send(FrameKind.SPAWNED, 1)
    _, (line,) = sides.told()
    os.write(line, bytes([signal.SIGKILL]))
    for descriptor in (line, output):
        os.close(descriptor)
    channel.close()
    assert {sides.frame(), sides.frame()} == {(FrameKind.SIGNAL, 1, b"\x09"), (FrameKind.CHANNEL, 1, b"")}
    sides.send(FrameKind.OUTPUT, 1, b"nobody reads this")
    sides.send(FrameKind.EXITED, 1, struct.pack("<i", 9))
    assert sides.told() == (Control(ControlKind.EXITED, 1, 9), [])
    sides.send(FrameKind.READY, 0)
    assert sides.told() == (Control(ControlKind.READY), [])


def test_the_bridge_ends_with_the_host(sides: Sides) -> None:
    sides.host.close()
    sides.thread.join(WAIT_S)
    assert not sides.thread.is_alive()


def test_an_event_on_a_line_that_says_nothing_does_not_hold_the_bridge_up() -> None:
    # In one turn a number can be closed and given to a line: what was reported for the old one reaches the new one.
    host, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    zygote, stream = socket.socketpair()
    with host, control, zygote, stream:
        bridge = Bridge(control, stream.fileno(), bytes)
        bridge._open_line(1)
        thread = threading.Thread(target=bridge._on_line, args=(1,), daemon=True)
        thread.start()
        thread.join(WAIT_S)
        assert not thread.is_alive()
        _, (line,), _, _ = socket.recv_fds(host, CONTROL_BYTES, 1)
        os.close(line)
        bridge._close_line(1)
