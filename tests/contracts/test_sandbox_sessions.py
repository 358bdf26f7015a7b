"""The sandbox contract, over every isolation tier and the scripted double: sessions, and what they may see."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

from abaci.errors import SandboxBusy, SessionClosed
from abaci.sandbox.base import Limits, Sandbox, Session
from abaci.types import ExecutionStatus

pytestmark = pytest.mark.asyncio(loop_scope="module")

OK, ERROR = ExecutionStatus.OK, ExecutionStatus.ERROR


# --- sessions ---------------------------------------------------------------------------------------------------------


async def test_programs_given_at_once_to_one_session_queue(session: Session) -> None:
    await session.execute("import time\nlog = []")
    code = "log.append('in')\ntime.sleep(0.05)\nlog.append('out')"
    await asyncio.gather(*(session.execute(code) for _ in range(3)))
    assert (await session.execute("log")).result == str(["in", "out"] * 3)


async def test_sessions_run_at_the_same_time(sandbox: Sandbox) -> None:
    code = "import time\ntime.sleep(0.4)"

    async def run() -> None:
        async with sandbox.session() as opened:
            await opened.execute(code)

    started = time.monotonic()
    await asyncio.gather(*(run() for _ in range(4)))
    assert time.monotonic() - started < 1.5


async def test_a_session_cannot_be_used_after_it_ended(any_sandbox: Sandbox) -> None:
    async with any_sandbox.session() as opened:
        await opened.execute("1")
    with pytest.raises(SessionClosed, match="closed"):
        await opened.execute("1")


async def test_no_free_session_within_the_wait_is_busy(any_sandbox: Sandbox) -> None:
    async with asyncio.TaskGroup() as group:
        release = asyncio.Event()

        async def hold() -> None:
            async with any_sandbox.session():
                await release.wait()

        holders = [group.create_task(hold()) for _ in range(4)]
        await asyncio.sleep(0.1)
        with pytest.raises(SandboxBusy, match=r"no .*session became free within"):
            async with any_sandbox.session():
                pytest.fail("there must be no fifth session")
        release.set()
        await asyncio.gather(*holders)
    async with any_sandbox.session() as opened:
        assert (await opened.execute("1")).status is OK


async def test_cancelling_a_program_kills_it_and_the_session_goes_on(session: Session) -> None:
    await session.execute("x = 1")
    running = asyncio.ensure_future(session.execute("import time\ntime.sleep(60)", Limits(timeout_s=100)))
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    execution = await session.execute("'x' in globals()")
    assert (execution.result, execution.is_session_lost) == ("False", True)
    assert not (await session.execute("1")).is_session_lost


async def test_closing_a_session_ends_the_program_in_it(sandbox: Sandbox) -> None:
    async with sandbox.session() as opened:
        running = asyncio.ensure_future(opened.execute("import time\ntime.sleep(60)", Limits(timeout_s=100)))
        await asyncio.sleep(0.2)
    with pytest.raises(SessionClosed):
        await running


async def test_a_session_can_be_opened_again_and_again(sandbox: Sandbox) -> None:
    for number in range(20):
        async with sandbox.session() as opened:
            assert (await opened.execute(f"{number} + 1")).result == str(number + 1)


# --- isolation (tests/adversarial has the attacks) --------------------------------------------------------------------


async def test_the_environment_is_an_allow_list(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    result = (await session.execute("import os\nsorted(os.environ)")).result
    assert result is not None
    allowed = {"HOME", "LANG", "PATH", "TMPDIR", "PYTHONHASHSEED", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"}
    allowed |= {"MKL_NUM_THREADS", "MALLOC_ARENA_MAX", "PYTHONPYCACHEPREFIX", "LC_CTYPE", "PWD"}
    assert set(re.findall(r"'(\w+)'", result)) <= allowed


async def test_there_is_no_network(session: Session) -> None:
    execution = await session.execute("import socket\nsocket.create_connection(('127.0.0.1', 80), 1)")
    assert execution.error == "PermissionError: [Errno 1] Operation not permitted"


@pytest.mark.parametrize("path", [Path(__file__), Path.home(), Path("/etc/passwd"), Path("/proc/1/environ")])
async def test_host_files_cannot_be_read(session: Session, path: Path) -> None:
    execution = await session.execute(f"import os\nos.open({str(path)!r}, os.O_RDONLY)")
    assert execution.status is ERROR
    assert re.match(r"(PermissionError: \[Errno 13\]|FileNotFoundError: \[Errno 2\])", execution.error or "")


async def test_libraries_cannot_be_changed(session: Session) -> None:
    execution = await session.execute("import sympy\nopen(sympy.__file__, 'a')")
    assert (execution.error or "").startswith(("PermissionError: [Errno 13]", "OSError: [Errno 30]"))


async def test_sessions_cannot_see_each_others_variables(sandbox: Sandbox) -> None:
    async with sandbox.session() as one, sandbox.session() as two:
        await one.execute("secret = 1")
        assert (await two.execute("'secret' in globals()")).result == "False"
