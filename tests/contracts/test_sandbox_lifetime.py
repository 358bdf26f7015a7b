"""The sandbox contract, over every isolation tier: it starts whole, and nothing of it is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_tiers import TIERS

from abaci.errors import SandboxError
from abaci.sandbox.base import Limits
from abaci.sandbox.cgroup import find_hierarchy


def mounts() -> set[str]:
    """What is mounted where sandboxes mount; other programs of the machine may mount elsewhere meanwhile."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {line for line in lines if line.split()[4] in ("/", "/tmp", "/proc")}


MOUNTS = mounts()

pytestmark = pytest.mark.asyncio(loop_scope="module")


def descendants(root: int) -> set[tuple[int, int]]:
    """Process id and start time of everything below `root`."""
    parents: dict[int, list[tuple[int, int]]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(fields[1]), []).append((int(entry.name), int(fields[19])))
    found: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            found.add(child)
            waiting.append(child[0])
    return found


def alive(processes: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those of `processes` that still exist and are not merely waiting to be reaped."""
    rest = set()
    for pid, start in processes:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[19]) == start and fields[0] != "Z":
            rest.add((pid, start))
    return rest


def traces_of(host_pid: int) -> set[str]:
    """What the machine, beside processes, still has of a host's sandboxes: control groups and mounts."""
    hierarchy = find_hierarchy()
    folders = set() if hierarchy is None else set(hierarchy.folders.values())
    groups = {str(path) for folder in folders for path in folder.glob(f"abaci-{host_pid}-*")}
    return groups | (mounts() - MOUNTS)


async def eventually(condition: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    """Whether `condition` became true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


@pytest.mark.parametrize("tier", TIERS)
async def test_closing_leaves_no_process(tier: str) -> None:
    before = descendants(os.getpid())
    async with TIERS[tier]() as opened, opened.session() as session:
        await session.execute("1")
        during = descendants(os.getpid()) - before
        assert during
    assert not alive(during)
    assert not traces_of(os.getpid())


@pytest.mark.parametrize("tier", TIERS)
async def test_cancelling_the_owner_leaves_no_process(tier: str) -> None:
    before = descendants(os.getpid())
    sandbox = TIERS[tier]()
    is_running = asyncio.Event()

    async def own() -> None:
        async with sandbox, sandbox.session() as session:
            is_running.set()
            await session.execute("while True: pass", Limits(timeout_s=100))

    owner = asyncio.ensure_future(own())
    await is_running.wait()
    await asyncio.sleep(0.2)
    during = descendants(os.getpid()) - before
    owner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await owner
    assert not alive(during)
    assert not traces_of(os.getpid())


@pytest.mark.parametrize("tier", TIERS)
async def test_cancelling_the_start_leaves_no_process(tier: str) -> None:
    before = descendants(os.getpid())
    starting = asyncio.ensure_future(TIERS[tier]().__aenter__())
    await asyncio.sleep(0.3)
    during = descendants(os.getpid()) - before
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert during
    assert not alive(during)
    assert not traces_of(os.getpid())


HOST = """
import asyncio, sys
from pydantic import TypeAdapter
from abaci.sandbox.auto import open_sandbox
from abaci.sandbox.base import Limits
from abaci.sandbox.cgroup import find_hierarchy
from abaci.sandbox.config import SandboxConfig

async def main():
    config = TypeAdapter(SandboxConfig).validate_python({"kind": sys.argv[1]})
    async with open_sandbox(config) as sandbox, sandbox.session() as session:
        running = asyncio.ensure_future(session.execute("while True: pass", Limits(timeout_s=100)))
        await asyncio.sleep(0.2)
        print("running", flush=True)
        await running

asyncio.run(main())
"""


def start_host(tier: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", HOST, tier], stdout=subprocess.PIPE)


@pytest.mark.parametrize("tier", TIERS)
async def test_a_killed_host_leaves_no_process(tier: str) -> None:
    TIERS[tier]()
    with start_host(tier) as host:
        assert host.stdout is not None
        try:
            assert await asyncio.to_thread(host.stdout.readline) == b"running\n"
            during = descendants(host.pid)
            assert during
        finally:
            host.send_signal(signal.SIGKILL)
        assert await eventually(lambda: not alive(during)), alive(during)
        assert await eventually(lambda: not traces_of(host.pid)), traces_of(host.pid)


def zygotes(before: set[tuple[int, int]]) -> list[int]:
    """The direct children of this process that are not in `before`, but for the one that only clears away after it."""
    children = {pid for pid, _ in descendants(os.getpid()) - before}
    parents = {pid: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] for pid in children}
    is_janitor = {pid: b"rmdir" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return [pid for pid in children if parents[pid] == str(os.getpid()) and not is_janitor[pid]]


@pytest.mark.parametrize("tier", TIERS)
async def test_a_dead_worker_is_an_error_once_and_then_replaced(tier: str) -> None:
    before = descendants(os.getpid())
    async with TIERS[tier]() as opened, opened.session() as session:
        await session.execute("x = 1")
        running = asyncio.ensure_future(session.execute("import time\ntime.sleep(60)", Limits(timeout_s=100)))
        await asyncio.sleep(0.2)
        for pid in zygotes(before):
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(SandboxError, match="worker died"):
            await running
        execution = await session.execute("'x' in globals()")
        assert (execution.result, execution.is_session_lost) == ("False", True)
        async with opened.session() as fresh:
            assert (await fresh.execute("1 + 1")).result == "2"


@pytest.mark.parametrize("tier", TIERS)
async def test_starting_does_not_block_the_event_loop(tier: str) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.ensure_future(tick())
    started = time.monotonic()
    async with TIERS[tier]():
        expected = (time.monotonic() - started) / 0.01
        ticking.cancel()
        assert ticks > expected / 10
