"""The memory of all sessions together: by the kernel where there is a control group, else by watching."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from abaci.sandbox import budget
from abaci.sandbox.base import Limits
from abaci.sandbox.bubblewrap import BubblewrapSandbox
from abaci.sandbox.cgroup import ControlGroup
from abaci.sandbox.config import BubblewrapConfig, LandlockConfig, LocalConfig
from abaci.sandbox.landlock import LandlockSandbox
from abaci.sandbox.local import LocalSandbox
from abaci.types import Execution, ExecutionStatus

FILL = "x = bytearray(b'x' * (200 << 20))\nlen(x)"
MAKERS: dict[str, Callable[..., LocalSandbox]] = {
    "bubblewrap": lambda **sizes: BubblewrapSandbox(BubblewrapConfig(**sizes)),
    "landlock": lambda **sizes: LandlockSandbox(LandlockConfig(**sizes)),
}


async def fill(sandbox: LocalSandbox, count: int) -> list[Execution]:
    """Sessions that together hold more than the budget, though each stays below its own limit."""
    release = asyncio.Event()
    ready = asyncio.Semaphore(0)

    async def hold() -> Execution:
        async with sandbox.session() as session:
            execution = await session.execute(FILL, Limits(timeout_s=60))
            if execution.status is ExecutionStatus.OK:
                # A program that runs while the others fill: the largest is a session, whatever it does just then.
                execution = await session.execute("import time\ntime.sleep(2)\nlen(x)", Limits(timeout_s=60))
            ready.release()
            await release.wait()
            return execution

    async with asyncio.TaskGroup() as group:
        holders = [group.create_task(hold()) for _ in range(count)]
        for _ in range(count):
            await ready.acquire()
        release.set()
    return [holder.result() for holder in holders]


@pytest.mark.parametrize("tier", MAKERS)
async def test_a_control_group_holds_all_sessions_together_to_the_budget(tier: str) -> None:
    async with MAKERS[tier](max_sessions=4, spares=1, max_spares=1, total_memory_bytes=600 << 20) as sandbox:
        if sandbox._group is None:
            pytest.skip("this machine lets us make no control group")
        executions = await fill(sandbox, 4)
        statuses = [execution.status for execution in executions]
        assert ExecutionStatus.MEMORY in statuses
        assert set(statuses) <= {ExecutionStatus.OK, ExecutionStatus.MEMORY}
        lost = next(execution for execution in executions if execution.status is ExecutionStatus.MEMORY)
        assert lost.error == "the kernel killed the program's process for want of memory"
        async with sandbox.session() as session:
            assert (await session.execute("1 + 1")).result == "2"


async def test_without_a_control_group_the_largest_session_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ControlGroup, "create", lambda limits: None)
    async with MAKERS["landlock"](max_sessions=4, spares=1, max_spares=1, total_memory_bytes=600 << 20) as sandbox:
        executions = await fill(sandbox, 4)
        lost = [execution for execution in executions if execution.status is ExecutionStatus.MEMORY]
        assert 1 <= len(lost) < 4
        assert lost[0].error == (
            "the program was killed because all programs together held more than 600 MiB, and this one the most"
        )
        async with sandbox.session() as session:
            assert (await session.execute("1 + 1")).result == "2"


class Held:
    """A session for the watch: a real process that holds memory."""

    def __init__(self, mebibytes: int, *, is_shared: bool = False) -> None:
        how = "mmap.mmap(-1, size); x.write(b'x' * size)" if is_shared else "b'x' * size"
        code = f"import mmap\nsize = {mebibytes} << 20\nx = {how}\nprint(flush=True)\ninput()"
        self.process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.process.stdout.readline()
        self.stopped = asyncio.Event()

    @property
    def pid(self) -> int | None:
        return None if self.stopped.is_set() else self.process.pid

    def stop_for_memory(self, budget_bytes: int) -> None:
        self.stopped.set()
        self.process.kill()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


async def test_the_watch_stops_the_largest_first_and_no_more_than_needed() -> None:
    held = [Held(50), Held(150), Held(100)]
    watching = asyncio.create_task(budget.watch(200 << 20, lambda: None, lambda: held))
    try:
        await asyncio.wait_for(held[1].stopped.wait(), 10)
        await asyncio.sleep(0.5)
        assert [one.stopped.is_set() for one in held] == [False, True, False]
    finally:
        watching.cancel()
        for one in held:
            one.close()


def test_the_memory_of_a_process_that_has_ended_is_unknown() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert budget.anonymous_bytes(ended.pid) is None
    assert budget.anonymous_bytes(None) is None


def test_the_memory_of_a_process_is_what_it_holds_beside_files() -> None:
    one = Held(100)
    measured = budget.anonymous_bytes(one.process.pid)
    one.close()
    assert measured is not None
    assert 100 << 20 <= measured < 130 << 20


def test_memory_that_could_be_shared_is_held_as_well() -> None:
    one = Held(100, is_shared=True)
    measured = budget.anonymous_bytes(one.process.pid)
    one.close()
    assert measured is not None
    assert measured >= 100 << 20


class Unknown:
    """A session whose process cannot be told just now, as when this process may open no more files."""

    pid = property(lambda self: os.open("/dev/null/none", os.O_RDONLY))

    def stop_for_memory(self, budget_bytes: int) -> None:
        pytest.fail("it holds nothing that is known")


async def test_a_session_that_cannot_be_measured_does_not_end_the_watch_over_the_others() -> None:
    held = Held(150)
    watching = asyncio.create_task(budget.watch(100 << 20, lambda: None, lambda: (Unknown(), held)))
    try:
        await asyncio.wait_for(held.stopped.wait(), 10)
    finally:
        watching.cancel()
        held.close()


def test_by_default_sessions_may_have_half_of_the_machine() -> None:
    half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    assert budget.budget_bytes(LocalConfig()) == half
    assert budget.budget_bytes(LocalConfig(total_memory_bytes=1 << 30)) == 1 << 30


def test_the_group_has_room_for_every_thread_of_every_session() -> None:
    limits = budget.group_limits(LocalConfig(max_sessions=10, max_spares=2, cpus=1.5))
    assert limits.processes >= 12 * 65
    assert limits.cpus == 1.5
