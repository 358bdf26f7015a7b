"""Running the programs of a lost session again; on the Landlock tier, the quickest to start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from abaci.sandbox.base import Limits, Session
from abaci.sandbox.config import LandlockConfig
from abaci.sandbox.landlock import LandlockSandbox
from abaci.types import ExecutionStatus

pytestmark = pytest.mark.asyncio(loop_scope="module")

DIE = "import os\nos._exit(1)"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[LandlockSandbox]:
    async with LandlockSandbox(LandlockConfig(max_sessions=4, replay_s=3.0)) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def session(sandbox: LandlockSandbox) -> AsyncIterator[Session]:
    async with sandbox.session() as opened:
        yield opened


async def test_after_a_crash_the_variables_are_there_again_and_nothing_is_lost(session: Session) -> None:
    await session.execute("x = 1\nprint('once')")
    await session.execute("def f():\n    return x + 1")
    crashed = await session.execute(DIE)
    assert (crashed.status, crashed.is_session_lost) == (ExecutionStatus.KILLED, False)
    execution = await session.execute("f()")
    assert (execution.result, execution.stdout, execution.is_session_lost) == ("2", "", False)


async def test_programs_that_failed_are_not_run_again(session: Session) -> None:
    await session.execute("log = []")
    await session.execute("log.append('failed')\n1/0")
    await session.execute("log.append('stopped')\nwhile True: pass", Limits(timeout_s=0.3))
    await session.execute("log.append('ok')")
    await session.execute("log.append('killed')\n" + DIE)
    assert (await session.execute("log")).result == "['ok']"


async def test_what_does_not_succeed_again_leaves_an_empty_session_and_says_so(session: Session) -> None:
    await session.execute("x = 1")
    ends_s = time.time() + 2.0
    assert (await session.execute(f"import time\nassert time.time() < {ends_s}")).status is ExecutionStatus.OK
    crashed = await session.execute(f"while time.time() < {ends_s}: pass\n{DIE}")
    assert crashed.is_session_lost
    execution = await session.execute("'x' in globals()")
    assert (execution.result, execution.is_session_lost) == ("False", False)


async def test_programs_that_take_too_long_again_are_given_up(sandbox: LandlockSandbox) -> None:
    config = LandlockConfig(max_sessions=1, spares=1, replay_s=0.5)
    async with LandlockSandbox(config) as impatient, impatient.session() as session:
        await session.execute("import time\nx = 1\ntime.sleep(0.4)")
        await session.execute("time.sleep(0.4)")
        started = time.monotonic()
        crashed = await session.execute(DIE)
        assert crashed.is_session_lost
        assert time.monotonic() - started < 5
        assert (await session.execute("'x' in globals()")).result == "False"


async def test_after_a_cancelled_program_the_next_one_finds_the_variables(session: Session) -> None:
    await session.execute("x = 7")
    running = asyncio.ensure_future(session.execute("x = 8\nimport time\ntime.sleep(60)", Limits(timeout_s=90)))
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    execution = await session.execute("x")
    assert (execution.result, execution.is_session_lost) == ("7", False)


async def test_a_memory_limit_holds_in_the_new_process_too(session: Session) -> None:
    await session.execute("x = 1", Limits(memory_bytes=128 << 20))
    await session.execute(DIE)
    assert (await session.execute("y = bytearray(300 << 20)")).status is ExecutionStatus.MEMORY
