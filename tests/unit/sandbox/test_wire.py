"""The frames between host, zygote and session."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abaci.sandbox.worker.wire import (
    CONTROL_BYTES,
    ERROR_BYTES,
    REPLY_BYTES,
    REQUEST,
    RESULT_BYTES,
    TRACEBACK_BYTES,
    Control,
    ControlKind,
    Reply,
    ReplyKind,
    pack_request,
    parse_control,
    parse_reply,
)

text = st.none() | st.text(max_size=50)


@given(st.builds(Reply, st.integers(0, 2**32 - 1), st.sampled_from(ReplyKind), text, text, text), st.binary(max_size=9))
def test_a_reply_survives_the_wire_and_leaves_what_follows(reply: Reply, rest: bytes) -> None:
    frame = reply.pack()
    parsed = parse_reply(frame + rest)
    assert parsed is not None
    received, size = parsed
    assert size == len(frame)
    assert received.serial == reply.serial
    assert received.kind == reply.kind
    for field in ("result", "error", "traceback"):
        sent = getattr(reply, field)
        expected = None if sent is None else sent.encode("utf-8", "backslashreplace").decode()
        assert getattr(received, field) == expected


@given(st.integers(0, 60))
def test_an_incomplete_reply_is_waited_for(cut: int) -> None:
    frame = Reply(7, ReplyKind.OK, "result", "error", "traceback").pack()
    assert parse_reply(frame[: min(cut, len(frame) - 1)]) is None


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_waited_for_and_nothing_else(garbage: bytes) -> None:
    try:
        parse_reply(garbage)
    except ValueError:
        return


@pytest.mark.parametrize(
    "frame",
    [
        b"x",
        b"abad",
        struct.pack("<4sIBIII", b"abac", 1, 99, 0, 0, 0),
        struct.pack("<4sIBIII", b"abac", 1, 1, RESULT_BYTES + 1, 0, 0),
        struct.pack("<4sIBIII", b"abac", 1, 1, 0, ERROR_BYTES + 1, 0),
        struct.pack("<4sIBIII", b"abac", 1, 1, 0, 0, 2**32 - 1),
        struct.pack("<4sIBIII", b"fake", 1, 1, 0, 0, 0),
    ],
)
def test_a_forged_header_is_refused_at_once(frame: bytes) -> None:
    with pytest.raises(ValueError, match=r"frame|ReplyKind"):
        parse_reply(frame)


@pytest.mark.parametrize("letter", ["a", "é", "∑", "\ud800"])
def test_long_texts_are_cut_in_the_middle_to_their_cap(letter: str) -> None:
    frame = Reply(1, ReplyKind.ERROR, *("<" + letter * 10**6 + ">",) * 3).pack()
    assert len(frame) <= REPLY_BYTES
    parsed = parse_reply(frame)
    assert parsed is not None
    for cut, cap in ((parsed[0].result, RESULT_BYTES), (parsed[0].error, ERROR_BYTES)):
        assert cut is not None
        assert cut.startswith("<")
        assert cut.endswith(">")
        assert "\n[...]\n" in cut
        assert len(cut.encode()) <= cap + 6, "a character cut in two may come back as two replacement characters"
    assert TRACEBACK_BYTES < RESULT_BYTES


@given(st.text(st.characters(), max_size=50))
def test_any_code_can_be_sent(code: str) -> None:
    frame = pack_request(3, code, 1 << 30)
    assert REQUEST.unpack_from(frame) == (3, len(frame) - REQUEST.size, 1 << 30)
    assert frame[REQUEST.size :].decode("utf-8", "surrogatepass") == code


@given(st.sampled_from(ControlKind), st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1), st.text(max_size=99))
def test_a_control_packet_survives_the_wire(kind: ControlKind, session: int, status: int, words: str) -> None:
    packet = Control(kind, session, status, words).pack()
    assert parse_control(packet) == Control(kind, session, status, words.encode("utf-8", "replace").decode())


def test_a_control_packet_never_exceeds_its_cap() -> None:
    assert len(Control(ControlKind.FAILED, 1, text="x" * 10**6).pack()) == CONTROL_BYTES


@given(st.binary(max_size=100))
def test_a_broken_control_packet_is_refused(packet: bytes) -> None:
    try:
        parse_control(packet)
    except ValueError:
        return
