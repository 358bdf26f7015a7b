"""A pool in trouble: a loop that was blocked, waits that are given up, descriptors that run out, parts that fail."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from abaci.errors import SandboxBusy, SandboxError, SandboxUnavailable
from abaci.sandbox import zygote
from abaci.sandbox.base import Limits
from abaci.sandbox.cgroup import ControlGroup
from abaci.sandbox.config import LandlockConfig, PoolConfig
from abaci.sandbox.landlock import LandlockSandbox
from abaci.sandbox.pool import PooledSandbox
from abaci.sandbox.zygote import Launched, Launcher, Zygote
from abaci.types import ExecutionStatus

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[LandlockSandbox]:
    async with LandlockSandbox(LandlockConfig(max_sessions=8, spares=0)) as started:
        yield started


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def is_there(pid: int | None) -> bool:
    return str(pid) in os.listdir("/proc")


async def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline, "it never became so"
        await asyncio.sleep(0)


async def test_a_program_that_ended_in_time_keeps_its_session_though_the_loop_was_blocked(
    sandbox: LandlockSandbox,
) -> None:
    async with sandbox.session() as session:
        await session.execute("x = 1")
        running = asyncio.ensure_future(session.execute("import time\ntime.sleep(0.1)\nx", Limits(timeout_s=0.3)))
        # Its clock runs before the loop is blocked, until after the time at which it would have been killed.
        await asyncio.sleep(0.05)
        time.sleep(1)  # noqa: ASYNC251
        execution = await running
        assert (execution.status, execution.result, execution.is_session_lost) == (ExecutionStatus.OK, "1", False)
        assert (await session.execute("x")).result == "1"


async def test_a_close_that_is_cancelled_releases_every_descriptor_all_the_same() -> None:
    before = descriptors()
    sandbox = LandlockSandbox(LandlockConfig(max_sessions=8, spares=4))
    await sandbox.__aenter__()
    async with sandbox.session(), sandbox.session():
        await until(lambda: len(sandbox._spares) == 4)
        closing = asyncio.ensure_future(sandbox.__aexit__())
        await until(lambda: not sandbox._spares)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
    await until(lambda: descriptors() <= before)


@pytest.mark.parametrize("part", ["_refill", "_watch"])
async def test_closing_ends_everything_though_a_task_of_the_sandbox_had_failed(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(ControlGroup, "create", lambda limits: None)
    before = descriptors()
    sandbox = LandlockSandbox(LandlockConfig(spares=1))
    await sandbox.__aenter__()
    async with sandbox.session():
        task: asyncio.Task[None] = getattr(sandbox, part)
        task.cancel()
        failed = asyncio.create_task(fail())
        await asyncio.wait({task, failed})
        setattr(sandbox, part, failed)
        with pytest.raises(RuntimeError, match="a defect"):
            await sandbox.__aexit__()
        assert not is_there(sandbox.zygote_pid)
    assert descriptors() == before


async def test_a_handle_that_the_kernel_dropped_costs_one_session_and_not_all_of_them(sandbox: LandlockSandbox) -> None:
    async def use() -> None:
        async with sandbox.session():
            pytest.fail("there is no descriptor for its handle")

    async with sandbox.session() as neighbour:
        await neighbour.execute("x = 1")
        opening = asyncio.ensure_future(use())
        # The request is sent, and nothing of the answer taken: now every descriptor of this process is used up.
        await asyncio.sleep(0)
        with all_descriptors_used(), pytest.raises(SandboxError, match=r"may open no more files: .*ulimit -n"):
            await opening
        assert (await neighbour.execute("x")).result == "1"


@contextlib.contextmanager
def all_descriptors_used() -> Iterator[None]:
    """This process can open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(2))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class HangUpLauncher:
    """Starts a worker that does nothing but end at the hang-up."""

    tier = "test"
    advice = "Do this."
    process: subprocess.Popen[bytes]

    async def launch(self, control_fd: int, stderr_fd: int) -> Launched:
        self.process = await asyncio.to_thread(subprocess.Popen, ["cat"], stdin=control_fd, stdout=stderr_fd)
        return Launched(self.process, self.process.pid)


async def test_a_worker_that_no_descriptor_is_left_for_is_reaped(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(launched: Launched) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(zygote, "_open_pidfd", full)
    launcher = HangUpLauncher()
    with pytest.raises(SandboxUnavailable, match=r"could not be started: .*Too many open files"):
        await Zygote.start(launcher, 5.0)
    assert launcher.process.returncode == 0


class FullLauncher:
    """Finds that this process may open no more files."""

    tier = "test"
    advice = "Do this."

    async def launch(self, control_fd: int, stderr_fd: int) -> Launched:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


async def test_a_worker_that_cannot_be_started_for_want_of_descriptors_is_unavailable() -> None:
    before = descriptors()
    with pytest.raises(SandboxUnavailable, match=r"worker could not be started: .*Too many open files"):
        await PooledSandbox(FullLauncher(), PoolConfig()).__aenter__()
    assert descriptors() == before


class SlowLauncher:
    """Another launcher, after a while."""

    def __init__(self, launcher: Launcher, delay_s: float) -> None:
        self._launcher = launcher
        self._delay_s = delay_s
        self.launches = 0

    @property
    def tier(self) -> str:
        return self._launcher.tier

    @property
    def advice(self) -> str:
        return self._launcher.advice

    async def launch(self, control_fd: int, stderr_fd: int) -> Launched:
        self.launches += 1
        await asyncio.sleep(self._delay_s)
        return await self._launcher.launch(control_fd, stderr_fd)


async def test_a_restart_that_takes_longer_than_callers_wait_comes_to_an_end() -> None:
    async with LandlockSandbox(LandlockConfig(spares=0, wait_s=0.3)) as sandbox:
        launcher = sandbox._launcher = SlowLauncher(sandbox._launcher, delay_s=1.0)
        zygote = sandbox._zygote
        assert zygote is not None
        zygote._launched.process.kill()
        await until(lambda: not zygote.is_alive)
        with pytest.raises(SandboxBusy, match=r"within 0\.3 s, because the sandbox's worker is being started again"):
            async with sandbox.session():
                pytest.fail("it cannot be ready yet")
        for _ in range(100):
            with contextlib.suppress(SandboxBusy):
                async with sandbox.session() as session:
                    assert (await session.execute("6 * 7")).result == "42"
                    break
        else:
            pytest.fail("it was never ready again")
        assert launcher.launches == 1


async def test_closing_during_a_restart_leaves_no_worker() -> None:
    sandbox = LandlockSandbox(LandlockConfig(spares=0, wait_s=0.1))
    async with sandbox:
        sandbox._launcher = SlowLauncher(sandbox._launcher, delay_s=0.5)
        zygote = sandbox._zygote
        assert zygote is not None
        zygote._launched.process.kill()
        await until(lambda: not zygote.is_alive)
        with pytest.raises(SandboxBusy):
            async with sandbox.session():
                pytest.fail("it cannot be ready yet")
    assert sandbox._zygote is not zygote
    assert not is_there(sandbox.zygote_pid)


async def test_a_process_that_was_reaped_has_no_number(sandbox: LandlockSandbox) -> None:
    async with sandbox.session() as session:
        assert session.pid is not None
        await session.execute("import os\nos._exit(0)")
        await until(lambda: session.pid is None)
