"""The stream between bridge and far zygote: two ends in two threads, joined by a real socket."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abaci.sandbox.worker.stream import FRAME_BYTES, HEADER, WINDOW_BYTES, FrameKind, Multiplexer, StreamEnded

WAIT_S = 10.0


@dataclass
class Ends:
    """The descriptors of one session: what the host holds, and what the session holds."""

    host_channel: socket.socket
    session_channel: socket.socket
    host_output: int
    session_output: int

    def close(self) -> None:
        self.host_channel.close()
        self.session_channel.close()
        for descriptor in (self.host_output, self.session_output):
            with suppress(OSError):
                os.close(descriptor)


@dataclass
class Link:
    """Two multiplexers that run."""

    near: Multiplexer
    far: Multiplexer
    streams: tuple[socket.socket, socket.socket]
    frames: list[tuple[FrameKind, int, bytes]] = field(default_factory=list)
    sessions: list[Ends] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def open(self) -> Ends:
        """One more session, joined at both ends. Only before `run`."""
        session = len(self.sessions) + 1
        host, near = socket.socketpair()
        far, inside = socket.socketpair()
        near_read, near_write = os.pipe()
        far_read, far_write = os.pipe()
        self.near.join(session, near.detach(), near_write, is_output_ours=False)
        self.far.join(session, far.detach(), far_read, is_output_ours=True)
        for channel in (host, inside):
            channel.settimeout(WAIT_S)
        self.sessions.append(Ends(host, inside, near_read, far_write))
        return self.sessions[-1]

    def run(self) -> None:
        """Move bytes, until the test ends."""
        self._threads = [threading.Thread(target=_turn, args=(end,)) for end in (self.near, self.far)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End both, and close every descriptor that is still open."""
        for stream in self.streams:
            stream.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(WAIT_S)
            assert not thread.is_alive()
        for number, ends in enumerate(self.sessions, 1):
            self.near.part(number)
            self.far.part(number)
            ends.close()
        for stream in self.streams:
            stream.close()


def _turn(end: Multiplexer) -> None:
    try:
        while True:
            end.turn()
    except (StreamEnded, OSError):
        return


@pytest.fixture
def link() -> Iterator[Link]:
    one, two = socket.socketpair()
    frames: list[tuple[FrameKind, int, bytes]] = []
    near = Multiplexer(one.fileno(), one.fileno(), lambda *frame: frames.append(frame))
    far = Multiplexer(two.fileno(), two.fileno(), lambda *frame: frames.append(frame))
    made = Link(near, far, (one, two), frames)
    yield made
    made.close()


def read_exactly(channel: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := channel.recv(size - len(data))):
        data += part
    return data


def test_what_the_host_sends_reaches_the_session_and_back(link: Link) -> None:
    ends = link.open()
    link.run()
    ends.host_channel.sendall(b"request")
    assert ends.session_channel.recv(100) == b"request"
    ends.session_channel.sendall(b"reply")
    assert ends.host_channel.recv(100) == b"reply"


def test_large_requests_arrive_whole(link: Link) -> None:
    ends = link.open()
    link.run()
    request = os.urandom(5 * WINDOW_BYTES)
    sender = threading.Thread(target=ends.host_channel.sendall, args=(request,))
    sender.start()
    assert read_exactly(ends.session_channel, len(request)) == request
    sender.join(WAIT_S)


def test_output_is_there_before_the_reply_that_follows_it(link: Link) -> None:
    ends = link.open()
    link.run()
    printed = os.urandom(WINDOW_BYTES * 3)

    def program() -> None:
        rest = memoryview(printed)
        while rest:
            rest = rest[os.write(ends.session_output, rest) :]
        ends.session_channel.sendall(b"done")

    threading.Thread(target=program, daemon=True).start()
    os.set_blocking(ends.host_output, False)
    seen = bytearray()
    ends.host_channel.setblocking(False)
    is_done = False
    while not is_done:
        with suppress(BlockingIOError):
            is_done = ends.host_channel.recv(100) == b"done"
        with suppress(BlockingIOError):
            while part := os.read(ends.host_output, 1 << 16):
                seen += part
    assert bytes(seen) == printed


def test_a_session_whose_output_nobody_reads_holds_up_no_other(link: Link) -> None:
    flood, other = link.open(), link.open()
    link.run()
    os.set_blocking(flood.session_output, False)
    written = 0
    stalled = 0
    while stalled < 50:
        try:
            written += os.write(flood.session_output, b"x" * 4096)
            stalled = 0
        except BlockingIOError:
            stalled += 1
            other.host_channel.sendall(b"ping")
            assert other.session_channel.recv(4) == b"ping"
    assert written < WINDOW_BYTES * 4


def test_the_end_of_a_session_is_the_end_of_its_descriptors(link: Link) -> None:
    ends = link.open()
    link.run()
    os.write(ends.session_output, b"last words")
    ends.session_channel.close()
    os.close(ends.session_output)
    ends.session_output = -1  # Not to be closed again: the number may be somebody else's by then.
    with os.fdopen(os.dup(ends.host_output), "rb") as output:
        assert output.read() == b"last words"
    assert ends.host_channel.recv(1) == b""


def test_a_host_that_hangs_up_is_the_end_of_the_session(link: Link) -> None:
    ends = link.open()
    link.run()
    ends.host_channel.close()
    assert ends.session_channel.recv(1) == b""


def _send(stream: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        stream.sendall(data)
        stream.shutdown(socket.SHUT_WR)


def feed(data: bytes) -> tuple[list[tuple[FrameKind, int, bytes]], Exception | None]:
    """What one end makes of `data` and the end of the stream."""
    frames: list[tuple[FrameKind, int, bytes]] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        end = Multiplexer(ours.fileno(), ours.fileno(), lambda *frame: frames.append(frame))
        output_read, output_write = os.pipe()
        near, host = socket.socketpair()
        with host:
            end.join(1, near.detach(), output_write, is_output_ours=False)
            threading.Thread(target=_send, args=(theirs, data), daemon=True).start()
            try:
                while True:
                    end.turn()
            except (StreamEnded, ValueError, struct.error) as error:
                return frames, error
            finally:
                end.part(1)
                os.close(output_read)


def test_frames_may_be_torn_anywhere() -> None:
    frames, error = feed(HEADER.pack(FrameKind.READY, 0, 0) + HEADER.pack(FrameKind.FAILED, 5, 3) + b"why")
    assert frames == [(FrameKind.READY, 0, b""), (FrameKind.FAILED, 5, b"why")]
    assert isinstance(error, StreamEnded)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (HEADER.pack(FrameKind.OUTPUT, 1, FRAME_BYTES + 1), "at most"),
        (HEADER.pack(99, 1, 0), "is not a valid FrameKind"),
        ((HEADER.pack(FrameKind.OUTPUT, 1, FRAME_BYTES) + bytes(FRAME_BYTES)) * 12, "more than it had credit for"),
    ],
)
def test_an_end_that_breaks_the_rules_is_found_out(data: bytes, reason: str) -> None:
    _, error = feed(data)
    assert isinstance(error, ValueError)
    assert reason in str(error)


@given(st.binary(max_size=400))
def test_no_bytes_bring_anything_but_the_end(data: bytes) -> None:
    _, error = feed(data)
    assert isinstance(error, (StreamEnded, ValueError))
