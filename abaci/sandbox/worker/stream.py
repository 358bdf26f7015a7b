"""One byte stream that carries what descriptors cannot: for a zygote in a machine of its own, where none can be passed.

Both ends, the bridge beside the host and the zygote afar, use it alike. Each session has a channel (both ways) and its
output (to the host). What is read from a descriptor here is written to its twin there, under credit: at most
`WINDOW_BYTES` of a flow are on their way, so a session that floods, or one that reads nothing, holds up nobody else.

A reply must not overtake the output printed before it: a flow can come `after` another one, and then waits for it.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Callable
from enum import IntEnum

HEADER = struct.Struct("<BII")
"""Kind, session, bytes that follow."""
FRAME_BYTES = 32 * 1024
"""The most that may follow a header."""
WINDOW_BYTES = 128 * 1024
_CREDIT = struct.Struct("<I")
_READ_BYTES = 256 * 1024


class FrameKind(IntEnum):
    """What a frame says."""

    READY = 1
    """zygote → bridge: everything is imported and warm."""
    SPAWN = 2
    """bridge → zygote: fork a session."""
    SPAWNED = 3
    """zygote → bridge: it runs."""
    FAILED = 4
    """zygote → bridge: it could not be forked; the payload says why."""
    EXITED = 5
    """zygote → bridge: its process ended; the payload is the wait status."""
    SIGNAL = 6
    """bridge → zygote: the payload is a signal for its process."""
    CHANNEL = 7
    """Bytes of the session's channel; none: its end."""
    OUTPUT = 8
    """Bytes that it printed; none: the end of them."""
    CHANNEL_CREDIT = 9
    OUTPUT_CREDIT = 10
    """So many bytes of the flow have arrived at their descriptor, and as many more may be sent."""


FLOWS = {FrameKind.CHANNEL: FrameKind.CHANNEL_CREDIT, FrameKind.OUTPUT: FrameKind.OUTPUT_CREDIT}
"""Each flow, and the kind of its credit."""


class StreamEnded(Exception):
    """The other end of the stream is gone."""


class Source:
    """A descriptor whose bytes go into the stream."""

    def __init__(self, descriptor: int, after: Source | None) -> None:
        self.descriptor = descriptor
        self.after = after
        self.credit_bytes = WINDOW_BYTES
        self.is_ended = False

    @property
    def is_wanted(self) -> bool:
        """Whether to read from it now; not where the flow before it has no credit left to be read first."""
        is_blocked = self.after is not None and not self.after.is_ended and self.after.credit_bytes <= 0
        return not self.is_ended and self.credit_bytes > 0 and not is_blocked

    def read(self) -> bytes | None:
        """What is there, within the credit; nothing at its end, None where there is nothing yet."""
        try:
            data = os.read(self.descriptor, min(self.credit_bytes, FRAME_BYTES))
        except BlockingIOError:
            return None
        except ConnectionResetError:
            data = b""
        self.credit_bytes -= len(data)
        self.is_ended = not data
        return data


class Sink:
    """A descriptor that bytes of the stream go to."""

    def __init__(self, descriptor: int, after: Sink | None) -> None:
        self.descriptor = descriptor
        self.after = after
        self.pending = bytearray()
        self.is_ending = False
        self.has_hung_up = False

    @property
    def is_wanted(self) -> bool:
        """Whether to write to it now."""
        return bool(self.pending) and not (self.after is not None and self.after.pending)

    @property
    def is_ended(self) -> bool:
        """Whether nothing will ever be written to it again."""
        return self.is_ending and not self.pending

    def take(self, data: bytes) -> None:
        """Keep `data` until it can be written; none of it: the end.

        Raises:
            ValueError: more of it than there was credit for.
        """
        self.pending += data
        self.is_ending = self.is_ending or not data
        if len(self.pending) > WINDOW_BYTES:
            raise ValueError("a flow sent more than it had credit for")

    def write(self) -> int:
        """Write what the descriptor takes; how many bytes are done with."""
        try:
            size = os.write(self.descriptor, self.pending)
        except BlockingIOError:
            return 0
        except (BrokenPipeError, ConnectionResetError):
            # Nobody reads it any more. It is swallowed, so that the other end does not wait for ever.
            size = len(self.pending)
        del self.pending[:size]
        return size


class Multiplexer:
    """One end of the stream, its sessions' descriptors, and the loop that moves their bytes.

    Args:
        inbound: descriptor of the stream to read from.
        outbound: descriptor to write to; may be the same.
        on_frame: told of every frame that is not a flow's.
        decode: unpacks what is read from `inbound`, where something wrapped it on its way.
    """

    def __init__(
        self,
        inbound: int,
        outbound: int,
        on_frame: Callable[[FrameKind, int, bytes], None],
        decode: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._inbound, self._outbound = inbound, outbound
        self._on_frame = on_frame
        self._decode = decode
        self._received = bytearray()
        self._unsent = bytearray()
        self._poll = select.poll()
        self._events: dict[int, int] = {}
        self._watched: dict[int, Callable[[], None]] = {}
        self._sources: dict[tuple[int, FrameKind], Source] = {}
        self._sinks: dict[tuple[int, FrameKind], Sink] = {}
        self._keys: dict[int, tuple[int, FrameKind]] = {}
        os.set_blocking(inbound, False)
        os.set_blocking(outbound, False)
        self._refresh_stream()

    # --- what its owner asks for --------------------------------------------------------------------------------------

    def send(self, kind: FrameKind, session: int, payload: bytes = b"") -> None:
        """Send one frame, now or as soon as the stream takes it."""
        self._unsent += HEADER.pack(kind, session, len(payload)) + payload
        self._refresh_stream()

    def watch(self, descriptor: int, on_readable: Callable[[], None]) -> None:
        """Call `on_readable` whenever `descriptor` is readable or hung up."""
        self._watched[descriptor] = on_readable
        self._register(descriptor, select.POLLIN)

    def forget(self, descriptor: int) -> None:
        """Watch `descriptor` no more; it need not be watched."""
        self._watched.pop(descriptor, None)
        self._register(descriptor, 0)

    def join(self, session: int, channel: int, output: int, *, is_output_ours: bool) -> None:
        """Carry a session's channel and output; both descriptors belong to this object from now on.

        Args:
            session: its number.
            channel: a socket.
            output: a pipe's end: to read from where `is_output_ours`, else to write to.
            is_output_ours: whether the session runs at this end.
        """
        for descriptor in (channel, output):
            os.set_blocking(descriptor, False)
        channel_key, output_key = (session, FrameKind.CHANNEL), (session, FrameKind.OUTPUT)
        printed = Source(output, None) if is_output_ours else None
        shown = None if is_output_ours else Sink(output, None)
        self._sources[channel_key] = Source(channel, printed)
        self._sinks[channel_key] = Sink(channel, shown)
        if printed is not None:
            self._sources[output_key] = printed
        if shown is not None:
            self._sinks[output_key] = shown
        self._keys[channel], self._keys[output] = channel_key, output_key
        self._refresh(session)

    def part(self, session: int) -> None:
        """Close a session's descriptors, whatever is still on its way."""
        for descriptor, (number, flow) in list(self._keys.items()):
            if number == session:
                self._close(session, flow, descriptor)

    def turn(self) -> None:
        """Wait until something happens, and handle it.

        Raises:
            StreamEnded: the other end is gone.
            ValueError: the other end sent nonsense.
        """
        for descriptor, events in self._poll.poll():
            if descriptor in (self._inbound, self._outbound):
                self._move_stream(descriptor, events)
            elif descriptor in self._watched:
                self._watched[descriptor]()
            elif descriptor in self._keys:
                self._move(*self._keys[descriptor], events)

    # --- the stream ---------------------------------------------------------------------------------------------------

    def _move_stream(self, descriptor: int, events: int) -> None:
        if descriptor == self._outbound and events & select.POLLOUT:
            try:
                del self._unsent[: os.write(descriptor, self._unsent)]
            except BlockingIOError:
                pass
            except (BrokenPipeError, ConnectionResetError) as error:
                raise StreamEnded from error
            self._refresh_stream()
        if descriptor == self._inbound and events & (select.POLLIN | select.POLLHUP):
            self._receive()
        elif events & (select.POLLERR | select.POLLNVAL):
            raise StreamEnded

    def _receive(self) -> None:
        try:
            data = os.read(self._inbound, _READ_BYTES)
        except BlockingIOError:
            return
        except ConnectionResetError as error:
            raise StreamEnded from error
        if not data:
            raise StreamEnded
        self._received += self._decode(data)
        start = 0
        while len(self._received) - start >= HEADER.size:
            kind, session, size = HEADER.unpack_from(self._received, start)
            if size > FRAME_BYTES:
                raise ValueError(f"a frame of {size} bytes: at most {FRAME_BYTES} are allowed")
            end = start + HEADER.size + size
            if len(self._received) < end:
                break
            self._handle(FrameKind(kind), session, bytes(self._received[start + HEADER.size : end]))
            start = end
        del self._received[:start]

    def _handle(self, kind: FrameKind, session: int, payload: bytes) -> None:
        """Handle one frame; those of a session that is gone are late, and mean nothing."""
        if kind in FLOWS:
            sink = self._sinks.get((session, kind))
            if sink is not None:
                sink.take(payload)
                self._flush(session, kind)
        elif kind in FLOWS.values():
            flow = next(flow for flow, credit in FLOWS.items() if credit == kind)
            source = self._sources.get((session, flow))
            if source is not None:
                source.credit_bytes += _CREDIT.unpack(payload)[0]
                self._refresh(session)
        else:
            self._on_frame(kind, session, payload)

    # --- the sessions -------------------------------------------------------------------------------------------------

    def _move(self, session: int, flow: FrameKind, events: int) -> None:
        if events & select.POLLOUT or events & select.POLLERR:
            self._flush(session, flow)
        source = self._sources.get((session, flow))
        if source is not None and source.is_wanted and events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            self._forward(session, flow, source)
        self._refresh(session)

    def _forward(self, session: int, flow: FrameKind, source: Source) -> None:
        """Send on what can be read; before it, all of what comes before it."""
        if source.after is not None:
            while source.after.is_wanted and self._pass_on(session, FrameKind.OUTPUT, source.after):
                pass
            if not source.is_wanted:
                return
        self._pass_on(session, flow, source)

    def _pass_on(self, session: int, flow: FrameKind, source: Source) -> bool:
        data = source.read()
        if data is None:
            return False
        self.send(flow, session, data)
        return True

    def _flush(self, session: int, flow: FrameKind) -> None:
        """Write what a sink has, then what waited for it."""
        for kind in (flow, FrameKind.CHANNEL):
            sink = self._sinks.get((session, kind))
            if sink is not None and sink.is_wanted:
                size = sink.write()
                if size:
                    self.send(FLOWS[kind], session, _CREDIT.pack(size))
        self._refresh(session)

    def _refresh(self, session: int) -> None:
        """Wait for what the session's descriptors can do now; close those that are done."""
        for flow in FLOWS:
            source, sink = self._sources.get((session, flow)), self._sinks.get((session, flow))
            either = source or sink
            if either is None:
                continue
            if (source is None or source.is_ended) and (sink is None or sink.is_ended):
                self._close(session, flow, either.descriptor)
                continue
            if source is not None and sink is not None and sink.is_ended and not sink.has_hung_up:
                sink.has_hung_up = True
                _hang_up(sink.descriptor)
            events = select.POLLIN if source is not None and source.is_wanted else 0
            events |= select.POLLOUT if sink is not None and sink.is_wanted else 0
            self._register(either.descriptor, events)

    def _close(self, session: int, flow: FrameKind, descriptor: int) -> None:
        self._register(descriptor, 0)
        del self._keys[descriptor]
        self._sources.pop((session, flow), None)
        self._sinks.pop((session, flow), None)
        os.close(descriptor)

    def _refresh_stream(self) -> None:
        if self._inbound == self._outbound:
            self._register(self._inbound, select.POLLIN | (select.POLLOUT if self._unsent else 0))
        else:
            self._register(self._inbound, select.POLLIN)
            self._register(self._outbound, select.POLLOUT if self._unsent else 0)

    def _register(self, descriptor: int, events: int) -> None:
        """Unregistered rather than registered for nothing: one that hung up would be reported again and again."""
        if events == self._events.get(descriptor, 0):
            return
        if events:
            self._poll.register(descriptor, events)
            self._events[descriptor] = events
        else:
            self._poll.unregister(descriptor)
            del self._events[descriptor]


def _hang_up(descriptor: int) -> None:
    """Tell the reader at the other end of a socket that no more will come."""
    with socket.socket(fileno=os.dup(descriptor)) as channel:
        try:
            channel.shutdown(socket.SHUT_WR)
        except OSError:
            return  # It is gone already.
