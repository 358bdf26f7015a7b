"""Spares, sizes, and what happens when the zygote cannot start; on the Landlock tier, the quickest to start."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack

import pytest
import pytest_asyncio

from abaci.errors import SandboxBusy, SandboxError, SandboxUnavailable
from abaci.sandbox.base import Limits
from abaci.sandbox.config import LandlockConfig, PoolConfig
from abaci.sandbox.landlock import LandlockSandbox
from abaci.sandbox.pool import PooledSandbox
from abaci.sandbox.worker.session import CHANNEL_FD
from abaci.sandbox.zygote import Launched
from abaci.types import ExecutionStatus

pytestmark = pytest.mark.asyncio(loop_scope="module")


class CommandLauncher:
    """Starts any command in the place of a zygote."""

    tier = "test"
    advice = "Do this."

    def __init__(self, *command: str) -> None:
        self._command = command
        self.process: subprocess.Popen[bytes] | None = None

    async def launch(self, control_fd: int, stderr_fd: int) -> Launched:
        self.process = start(self._command, control_fd, stderr_fd)
        return Launched(self.process, self.process.pid)


def start(command: tuple[str, ...], control_fd: int, stderr_fd: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr_fd, pass_fds=(control_fd,))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[LandlockSandbox]:
    config = LandlockConfig(max_sessions=8, spares=2, max_spares=2, wait_s=10.0, memory_bytes=128 << 20)
    async with LandlockSandbox(config) as started:
        yield started


async def test_a_worker_that_fails_at_once_is_unavailable_with_its_last_words_and_the_advice() -> None:
    sandbox = PooledSandbox(CommandLauncher("sh", "-c", "echo no namespaces here >&2; exit 1"), PoolConfig())
    with pytest.raises(SandboxUnavailable, match=r"the test sandbox could not start: no namespaces here\. Do this\."):
        await sandbox.__aenter__()


async def test_a_worker_that_is_never_ready_is_unavailable_in_time_and_gone() -> None:
    launcher = CommandLauncher("sleep", "60")
    started = time.monotonic()
    with pytest.raises(SandboxUnavailable, match=r"not ready within 0\.3 s: raise start_s"):
        await PooledSandbox(launcher, PoolConfig(start_s=0.3)).__aenter__()
    assert time.monotonic() - started < 5
    assert launcher.process is not None
    assert launcher.process.returncode == -9


async def test_a_worker_that_talks_nonsense_is_unavailable() -> None:
    code = "import os; os.write(int(os.listdir('/proc/self/fd')[3]), b'x'); [os.write(f, b'x') for f in range(4, 60)]"
    with pytest.raises(SandboxUnavailable, match="could not start"):
        await PooledSandbox(CommandLauncher("python3", "-c", code), PoolConfig(start_s=5)).__aenter__()


async def test_a_failed_start_leaks_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(SandboxUnavailable):
            await PooledSandbox(CommandLauncher("false"), PoolConfig()).__aenter__()
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_sandbox_that_was_never_entered_says_so() -> None:
    with pytest.raises(SandboxError, match="use it inside its `async with`"):
        async with LandlockSandbox(LandlockConfig()).session():
            pytest.fail("it must not open")


async def test_sessions_leak_no_descriptor(sandbox: LandlockSandbox) -> None:
    async def use() -> None:
        async with sandbox.session() as session:
            await session.execute("import os\nos._exit(0)")
            await session.execute("1")

    await use()
    await settled(sandbox)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await use()
    await settled(sandbox)
    assert len(os.listdir("/proc/self/fd")) == before


async def settled(sandbox: PooledSandbox) -> None:
    """Wait until the spares are complete again, and what was closed is gone."""
    deadline = time.monotonic() + 5
    while len(sandbox._spares) < 2 or sandbox._ending:
        assert time.monotonic() < deadline, "the spares were not refilled, or a closed session is still there"
        await asyncio.sleep(0.01)


async def test_spares_are_refilled(sandbox: LandlockSandbox) -> None:
    for _ in range(3):
        await settled(sandbox)
        async with sandbox.session(), sandbox.session():
            pass
    await settled(sandbox)


async def test_a_burst_raises_the_number_of_spares_up_to_the_most() -> None:
    async with LandlockSandbox(LandlockConfig(spares=1, max_spares=3)) as sandbox:
        async with AsyncExitStack() as stack:
            for _ in range(8):
                await stack.enter_async_context(sandbox.session())
        deadline = time.monotonic() + 10
        while len(sandbox._spares) < 3:
            assert time.monotonic() < deadline, "the spares did not grow"
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert len(sandbox._spares) == 3


async def test_leaving_a_session_kills_it_without_waiting_for_the_kernel(sandbox: LandlockSandbox) -> None:
    await settled(sandbox)
    async with sandbox.session() as session:
        pid = session.pid
    assert pid is not None
    assert sandbox._ending
    await settled(sandbox)
    # It has ended; its parent, the zygote, notices that no sooner than we do.
    deadline = time.monotonic() + 5
    while str(pid) in os.listdir("/proc"):
        assert time.monotonic() < deadline, "the process was not reaped"
        await asyncio.sleep(0.01)


FAULTS = """
import resource
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
from sympy import *
x = symbols('x')
solve(x**2 - 5*x + 6, x)
resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
"""


async def faults_of_a_first_program(sandbox: LandlockSandbox) -> int:
    async with sandbox.session() as session:
        return int((await session.execute(FAULTS, Limits(timeout_s=60))).result or "")


async def test_a_spare_that_waited_has_practised_and_finds_its_pages_ready() -> None:
    async with LandlockSandbox(LandlockConfig(spares=0)) as forking:
        # The first one is the session that proved the start, and may have waited.
        await faults_of_a_first_program(forking)
        at_once = await faults_of_a_first_program(forking)
    async with LandlockSandbox(LandlockConfig(spares=1, max_spares=1)) as sandbox:
        deadline = time.monotonic() + 20
        while await faults_of_a_first_program(sandbox) > at_once / 2:
            assert time.monotonic() < deadline, "no spare has practised"
            await asyncio.sleep(0.5)


async def test_what_a_spare_practised_is_not_in_its_namespace(sandbox: LandlockSandbox) -> None:
    await settled(sandbox)
    await asyncio.sleep(0.5)
    async with sandbox.session() as session:
        assert (await session.execute("sorted(n for n in globals() if not n.startswith('__'))")).result == "[]"


async def test_a_dead_spare_is_never_handed_out(sandbox: LandlockSandbox) -> None:
    await settled(sandbox)
    for spare in sandbox._spares:
        spare.kill()
    async with sandbox.session() as session:
        execution = await session.execute("1 + 1")
    assert (execution.result, execution.is_session_lost) == ("2", False)


async def test_more_sessions_than_spares_may_be_open(sandbox: LandlockSandbox) -> None:
    async def run(number: int) -> str | None:
        async with sandbox.session() as session:
            return (await session.execute(f"{number}")).result

    results = await asyncio.gather(*(run(number) for number in range(24)))
    assert results == [str(number) for number in range(24)]


async def test_very_many_sessions_may_be_open_at_once() -> None:
    # More than the numbers that a session's own descriptors have.
    config = LandlockConfig(max_sessions=80, spares=0, wait_s=60)
    async with LandlockSandbox(config) as sandbox, AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(sandbox.session()) for _ in range(80)]
        results = await asyncio.gather(*(session.execute(f"print({n})") for n, session in enumerate(sessions)))
    assert [execution.stdout for execution in results] == [f"{number}\n" for number in range(80)]


async def test_the_worker_may_be_started_on_any_number_of_descriptor() -> None:
    # So many are open here that the next ones have the numbers of a session's own.
    with ExitStack() as taken:
        while (descriptor := os.open("/dev/null", os.O_RDONLY)) < CHANNEL_FD - 2:
            taken.callback(os.close, descriptor)
        taken.callback(os.close, descriptor)
        async with LandlockSandbox(LandlockConfig(spares=0)) as sandbox, sandbox.session() as session:
            assert (await session.execute("print(1)")).stdout == "1\n"


async def test_code_larger_than_a_socket_holds_is_sent_whole(sandbox: LandlockSandbox) -> None:
    async with sandbox.session() as session:
        assert (await session.execute("x = '" + "a" * 3_000_000 + "'\nlen(x)")).result == "3000000"


async def test_closing_while_large_code_is_being_sent_does_not_hang(sandbox: LandlockSandbox) -> None:
    async with sandbox.session() as session:
        session._process._signal(signal.SIGSTOP)
        running = asyncio.ensure_future(session.execute("#" * 10_000_000))
        await asyncio.sleep(0.05)
    with pytest.raises(SandboxError, match="closed"):
        await running


async def test_a_wait_that_is_cancelled_keeps_no_slot(sandbox: LandlockSandbox) -> None:
    async def hold(seconds: float) -> None:
        async with sandbox.session():
            await asyncio.sleep(seconds)

    holders = [asyncio.ensure_future(hold(0.3)) for _ in range(8)]
    await asyncio.sleep(0.1)
    waiting = [asyncio.ensure_future(hold(0)) for _ in range(8)]
    await asyncio.sleep(0.1)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.gather(*holders)
    await asyncio.gather(*(hold(0.05) for _ in range(8)))


async def test_the_configured_memory_is_the_most_a_session_gets(sandbox: LandlockSandbox) -> None:
    async with sandbox.session() as session:
        execution = await session.execute("x = bytearray(300 << 20)", Limits(memory_bytes=1 << 30))
    assert execution.status is ExecutionStatus.MEMORY


async def test_death_between_programs_is_told_by_the_next_one(sandbox: LandlockSandbox) -> None:
    async with sandbox.session() as session:
        await session.execute("x = 1")
        session._process.kill()
        execution = await session.execute("'x' in globals()")
    assert (execution.result, execution.is_session_lost) == ("False", True)


async def test_closing_the_sandbox_closes_open_sessions() -> None:
    sandbox = LandlockSandbox(LandlockConfig(spares=0))
    await sandbox.__aenter__()
    async with sandbox.session() as session:
        running = asyncio.ensure_future(session.execute("import time\ntime.sleep(60)", Limits(timeout_s=90)))
        await asyncio.sleep(0.1)
        await sandbox.__aexit__()
        with pytest.raises(SandboxError, match="closed"):
            await running
        with pytest.raises(SandboxError, match="closed"):
            await session.execute("1")
    with pytest.raises(SandboxError, match="closed"):
        async with sandbox.session():
            pytest.fail("it must not open")


async def test_an_end_noticed_only_when_its_time_is_over_is_one_end(
    sandbox: LandlockSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    faults: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: faults.append(context))
    monkeypatch.setattr("abaci.sandbox.process._GONE_S", 0.01)
    try:
        async with sandbox.session() as session:
            await session.execute("1")
            assert session._process.pid is not None
            pidfd = os.pidfd_open(session._process.pid)
            gone = session._process.end()
            # The loop is not asked before both are true: the process has ended, and the time for it is over.
            assert select.select([pidfd], [], [], 10)[0]
            os.close(pidfd)
            time.sleep(0.02)  # noqa: ASYNC251
            assert await gone
            await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(None)
    assert not faults


async def test_a_worker_that_cannot_be_restarted_is_an_error_every_time_and_closing_still_works() -> None:
    sandbox = LandlockSandbox(LandlockConfig(spares=0))
    async with sandbox:
        sandbox._launcher = CommandLauncher("sh", "-c", "echo broken >&2; exit 1")
        assert sandbox._zygote is not None
        sandbox._zygote._launched.process.kill()
        await asyncio.sleep(0.5)
        assert not sandbox._zygote.is_alive
        for _ in range(2):
            with pytest.raises(SandboxError, match=r"broken|worker"):
                async with sandbox.session() as session:
                    await session.execute("1")


async def test_a_busy_sandbox_says_what_to_change(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with LandlockSandbox(LandlockConfig(max_sessions=1, wait_s=0.1)) as sandbox, sandbox.session():
        with pytest.raises(SandboxBusy, match=r"within 0\.1 s: 1 may be open at once; raise max_sessions or wait_s"):
            async with sandbox.session():
                pytest.fail("it must not open")
    assert not caplog.records
