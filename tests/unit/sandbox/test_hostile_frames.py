"""Whatever bytes a session sends, the host takes them for a reply or ends that session, and never fails itself."""

from __future__ import annotations

import asyncio
import itertools
import os
import struct

from forged_channel import SERIAL, run_against
from hypothesis import example, given, settings
from hypothesis import strategies as st

from abaci.sandbox.base import Limits
from abaci.sandbox.outcome import to_execution
from abaci.sandbox.worker.wire import Reply, ReplyKind
from abaci.types import ExecutionStatus

texts = st.none() | st.text(max_size=20)
replies = st.builds(
    Reply, st.sampled_from([SERIAL, 0, 2, 2**32 - 1]), st.sampled_from(ReplyKind), texts, texts, texts
).map(Reply.pack)
headers = st.builds(
    lambda *fields: struct.pack("<4sIBIII", b"abac", *fields),
    st.just(SERIAL), st.integers(0, 255), *[st.sampled_from([0, 1, 9, 4096, 65536, 65537, 2**32 - 1])] * 3,
)  # fmt: skip
chunks = st.lists(st.binary(max_size=60) | replies | headers, max_size=6)


@settings(max_examples=300)
@given(chunks, st.binary(max_size=100))
@example([], b"")
@example([b"abac" * 50_000], b"")
@example([Reply(SERIAL, ReplyKind.OK).pack() * 2], b"")
@example([b"", Reply(SERIAL, ReplyKind.READY).pack()], b"")
def test_any_bytes_end_a_program_and_nothing_else(sent: list[bytes], output: bytes) -> None:
    before = len(os.listdir("/proc/self/fd"))
    ended, _ = asyncio.run(run_against(sent, output))
    execution = to_execution(ended, Limits(), was_lost_before=False, is_lost=True, has_oom=False)
    if ended.reply is None:
        assert execution.status is ExecutionStatus.KILLED
        assert execution.result is None
    else:
        assert ended.reply.serial == SERIAL
        assert ended.reply.kind in (ReplyKind.OK, ReplyKind.ERROR, ReplyKind.MEMORY)
    assert execution.stdout == output.decode("utf-8", "replace")
    assert len(os.listdir("/proc/self/fd")) == before


@given(st.lists(st.integers(0, 200), max_size=8))
def test_a_reply_is_taken_however_it_is_cut_up(cuts: list[int]) -> None:
    frame = Reply(SERIAL, ReplyKind.OK, "42" * 50).pack()
    edges = [0, *sorted(min(cut, len(frame)) for cut in cuts), len(frame)]
    pieces = [frame[start:end] for start, end in itertools.pairwise(edges) if start < end]
    ended, is_alive = asyncio.run(run_against(pieces))
    assert ended.reply is not None
    assert (ended.reply.result, is_alive) == ("42" * 50, True)
