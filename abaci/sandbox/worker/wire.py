"""The frames between host, zygote and session: fixed headers, capped lengths, no parser that could be attacked.

Two channels, both Unix socket pairs that the host makes:

* **control**, host ↔ zygote, `SOCK_SEQPACKET`, one message a packet. The host sends `SPAWN` with two descriptors (the
  session's end of its channel, the write end of its output pipe); the zygote answers `SPAWNED` with a pidfd of the new
  process, and later `EXITED` with its wait status.
* **session**, host ↔ session, a stream. The host sends a request, the session answers with a `Reply`. The session runs
  hostile code, so the host believes nothing: see `parse_reply`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

# --- control ----------------------------------------------------------------------------------------------------------

_CONTROL = struct.Struct("<BIi")

CONTROL_BYTES = 4096
"""The longest control packet."""


class ControlKind(IntEnum):
    """What a control packet says."""

    READY = 1
    """zygote → host: everything is imported and warm."""
    SPAWN = 2
    """host → zygote: fork a session (two descriptors come along)."""
    SPAWNED = 3
    """zygote → host: it runs (a pidfd comes along)."""
    FAILED = 4
    """zygote → host: it could not be forked; `text` says why."""
    EXITED = 5
    """zygote → host: its process ended; `status` is the wait status."""
    SPAWNED_AFAR = 6
    """bridge → host: it runs where there are no pidfds (a line comes along: each byte on it is a signal for the
    process, its end is the process's end)."""
    SIGNAL = 7
    """relay → zygote, where there are no pidfds: `status` is a signal for the session's process."""


@dataclass(frozen=True, slots=True)
class Control:
    """One control packet; `session` counts sessions of one zygote from 1."""

    kind: ControlKind
    session: int = 0
    status: int = 0
    text: str = ""

    def pack(self) -> bytes:
        """The packet's bytes, at most `CONTROL_BYTES`."""
        text = self.text.encode("utf-8", "replace")[: CONTROL_BYTES - _CONTROL.size]
        return _CONTROL.pack(self.kind, self.session, self.status) + text


def parse_control(packet: bytes) -> Control:
    """The packet in `packet`.

    Raises:
        ValueError: it is not one.
    """
    if len(packet) < _CONTROL.size:
        raise ValueError(f"a control packet has at least {_CONTROL.size} bytes, this one {len(packet)}")
    kind, session, status = _CONTROL.unpack_from(packet)
    return Control(ControlKind(kind), session, status, packet[_CONTROL.size :].decode("utf-8", "replace"))


# --- session, host → worker -------------------------------------------------------------------------------------------

REQUEST = struct.Struct("<IIQ")
"""Serial number of the program, bytes of code that follow, bytes of memory for the session."""


def pack_request(serial: int, code: str, memory_bytes: int) -> bytes:
    """The frame that asks for `code` to be run."""
    # Lone surrogates travel too: rejecting them is Python's business, inside, as for any program.
    source = code.encode("utf-8", "surrogatepass")
    return REQUEST.pack(serial, len(source), memory_bytes) + source


# --- session, worker → host -------------------------------------------------------------------------------------------

_REPLY = struct.Struct("<4sIBIII")
_MAGIC = b"abac"

RESULT_BYTES = 64 * 1024
ERROR_BYTES = 4 * 1024
TRACEBACK_BYTES = 32 * 1024
_CAPS = (RESULT_BYTES, ERROR_BYTES, TRACEBACK_BYTES)

_NO_TEXTS = (None, None, None)

REPLY_BYTES = _REPLY.size + sum(_CAPS)
"""The longest reply a session may send."""


class ReplyKind(IntEnum):
    """How a program ended, as the session tells it."""

    READY = 0
    """Nothing ran yet: the session is locked up and waits for its first program."""
    OK = 1
    ERROR = 2
    MEMORY = 3
    BROKEN = 4
    """The session could not be locked up, so it runs nothing; `error` says why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. Absent texts are None."""

    serial: int
    kind: ReplyKind
    result: str | None = None
    error: str | None = None
    traceback: str | None = None

    def pack(self) -> bytes:
        """The reply's bytes, each text cut in its middle to its cap."""
        texts = (self.result, self.error, self.traceback)
        if texts == _NO_TEXTS:
            return _REPLY.pack(_MAGIC, self.serial, self.kind, 0, 0, 0)
        parts = [b"" if text is None else b"+" + _cut(text, cap - 1) for text, cap in zip(texts, _CAPS, strict=True)]
        return _REPLY.pack(_MAGIC, self.serial, self.kind, *map(len, parts)) + b"".join(parts)


def parse_reply(buffer: bytes | bytearray) -> tuple[Reply, int] | None:
    """The reply at the start of `buffer` and how many bytes it took; None while it is incomplete.

    Raises:
        ValueError: these bytes are no reply, or a longer one than any honest session sends.
    """
    if len(buffer) < _REPLY.size:
        if not _MAGIC.startswith(bytes(buffer[: len(_MAGIC)])):
            raise ValueError("the frame does not start like a reply")
        return None
    magic, serial, kind, *lengths = _REPLY.unpack_from(buffer)
    if magic != _MAGIC or not (lengths[0] <= _CAPS[0] and lengths[1] <= _CAPS[1] and lengths[2] <= _CAPS[2]):
        raise ValueError("the frame's header is not that of a reply")
    end = _REPLY.size + sum(lengths)
    if len(buffer) < end:
        return None
    texts: list[str | None] = []
    start = _REPLY.size
    for length in lengths:
        part = bytes(buffer[start : start + length])
        texts.append(part[1:].decode("utf-8", "replace") if length else None)
        start += length
    return Reply(serial, ReplyKind(kind), *texts), end


def _cut(text: str, cap: int) -> bytes:
    """`text` in UTF-8, head and tail kept where it is longer than `cap` bytes."""
    # Cut by characters first: encoding a 50 MB message only to drop most of it would cost as much memory again.
    if len(text) > cap:
        text = text[: cap // 2] + text[-(cap // 2) :]
        is_cut = True
    else:
        is_cut = False
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= cap and not is_cut:
        return data
    gap = b"\n[...]\n"
    keep = (cap - len(gap)) // 2
    return data[:keep] + gap + data[-keep:]
