"""The sandbox contract, over every isolation tier: time, output, memory, and programs that end their process."""

from __future__ import annotations

import asyncio
import time

import pytest

from abaci.sandbox.base import KILL_GRACE_S, Limits, Sandbox, Session
from abaci.types import ExecutionStatus

pytestmark = pytest.mark.asyncio(loop_scope="module")

OK, TIMEOUT = ExecutionStatus.OK, ExecutionStatus.TIMEOUT
SHORT = Limits(timeout_s=0.5)


# --- time -------------------------------------------------------------------------------------------------------------


async def test_a_timeout_keeps_the_output_and_the_variables(session: Session) -> None:
    execution = await session.execute("x = 5\nprint('so far')\nwhile True: pass", SHORT)
    assert (execution.status, execution.stdout, execution.is_session_lost) == (TIMEOUT, "so far\n", False)
    assert execution.error == "the program was stopped after 0.5 s, its time limit"
    assert (await session.execute("x")).result == "5"


async def test_a_timeout_says_where_the_program_was(session: Session) -> None:
    execution = await session.execute("import time\ntime.sleep(60)", SHORT)
    assert execution.traceback is not None
    assert "time.sleep(60)" in execution.traceback


async def test_a_program_that_ignores_the_interrupt_is_killed_and_its_output_kept(session: Session) -> None:
    code = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('so far', end='')\nwhile True: pass"
    started = time.monotonic()
    execution = await session.execute(code, SHORT)
    assert time.monotonic() - started < SHORT.timeout_s + KILL_GRACE_S
    assert (execution.status, execution.stdout, execution.is_session_lost) == (TIMEOUT, "so far", True)


async def test_after_a_kill_the_session_goes_on_empty(session: Session) -> None:
    await session.execute("x = 1\nimport os\nos._exit(0)")
    execution = await session.execute("'x' in globals()")
    assert (execution.status, execution.result, execution.is_session_lost) == (OK, "False", False)


async def test_an_interrupt_never_hits_the_next_program(session: Session) -> None:
    for _ in range(5):
        await session.execute("import time\ntime.sleep(0.02)", Limits(timeout_s=0.02))
        assert (await session.execute("1 + 1")).result == "2"


async def test_an_alarm_left_behind_does_not_end_the_session(session: Session) -> None:
    await session.execute("import signal\nx = 1\nsignal.setitimer(signal.ITIMER_REAL, 0.1)")
    await asyncio.sleep(0.2)
    execution = await session.execute("x")
    assert (execution.result, execution.is_session_lost) == ("1", False)


# --- output, memory, death --------------------------------------------------------------------------------------------


async def test_long_output_keeps_its_head_and_its_tail(session: Session) -> None:
    execution = await session.execute("for i in range(2000): print(i)", Limits(output_bytes=1000))
    assert execution.status is OK
    assert execution.stdout.startswith("0\n1\n2\n")
    assert execution.stdout.endswith("1998\n1999\n")
    assert "[... 7890 bytes dropped ...]" in execution.stdout
    assert len(execution.stdout) < 1100


async def test_a_program_that_never_stops_printing_is_stopped(session: Session) -> None:
    execution = await session.execute("x = 1\nwhile True: print('y' * 100)", Limits(output_bytes=1024, timeout_s=30))
    assert execution.status is ExecutionStatus.OUTPUT_LIMIT
    assert execution.error == "the program was stopped because it would not stop printing"
    assert len(execution.stdout) < 1200
    assert (await session.execute("1 + 1")).result == "2"


@pytest.mark.parametrize(
    "code", ["x = bytearray(1 << 30)", "import numpy\nx = numpy.ones(1 << 27)", "x = [0] * (1 << 27)"]
)
async def test_memory_beyond_the_limit_is_refused_and_named(session: Session, code: str) -> None:
    execution = await session.execute(code, Limits(memory_bytes=256 << 20))
    assert execution.status is ExecutionStatus.MEMORY
    assert "MemoryError" in (execution.error or "")
    assert (await session.execute("1 + 1")).result == "2"


async def test_a_session_full_of_memory_can_still_report(session: Session) -> None:
    code = "x = []\nwhile True: x.append(bytearray(1 << 16))"
    assert (await session.execute(code, Limits(memory_bytes=64 << 20))).status is ExecutionStatus.MEMORY
    execution = await session.execute("del x\n'free'")
    assert (execution.result, execution.is_session_lost) == ("'free'", False)


async def test_memory_below_the_limit_is_given(session: Session) -> None:
    execution = await session.execute("len(bytearray(200 << 20))", Limits(memory_bytes=256 << 20))
    assert execution.result == str(200 << 20)


async def test_the_first_programs_memory_limit_counts(session: Session) -> None:
    await session.execute("0", Limits(memory_bytes=64 << 20))
    execution = await session.execute("x = bytearray(200 << 20)", Limits(memory_bytes=1 << 30))
    assert execution.status is ExecutionStatus.MEMORY


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import os\nos._exit(7)", "the program ended its process"),
        ("import ctypes\nctypes.string_at(0)", "the program's process was killed by SIGSEGV"),
    ],
)
async def test_a_dead_process_is_reported_with_its_cause_and_output(session: Session, code: str, error: str) -> None:
    execution = await session.execute("print('so far', end='')\n" + code)
    assert (execution.status, execution.error) == (ExecutionStatus.KILLED, error)
    assert (execution.stdout, execution.is_session_lost) == ("so far", True)


@pytest.mark.parametrize("frame", ["b'garbage'", "b'\\xff' * 100", "b'abac' + b'\\xff' * 40", "b'abac' + bytes(40)"])
async def test_a_forged_reply_breaks_its_own_session_only(sandbox: Sandbox, session: Session, frame: str) -> None:
    code = f"import os, time\nfor fd in range(3, 64):\n    try: os.write(fd, {frame})\n    except OSError: pass\n"
    code += "time.sleep(9)"
    execution = await session.execute(code, Limits(timeout_s=5))
    assert execution.status is ExecutionStatus.KILLED
    assert execution.error == "the program corrupted the session's control channel, and its process was killed"
    assert (await session.execute("1 + 1")).result == "2"


async def test_a_reply_forged_for_the_next_program_is_not_believed(session: Session) -> None:
    code = (
        "import os, struct\nheader = struct.pack('<4sIBIII', b'abac', 2, 1, 7, 0, 0)\n"
        "for fd in range(3, 64):\n    try: os.write(fd, header + b\"+'liar'\")\n    except OSError: pass"
    )
    await session.execute(code)
    assert (await session.execute("1 + 1")).result == "2"
