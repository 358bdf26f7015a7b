"""How fast programs run in the sandbox, beside what others do, in one run; JSON on standard output.

    python benchmarks/sandbox.py [--tier bubblewrap|landlock] [--repeat 50] [--sessions 10000] \\
        [--smolagents PYTHON] [--docker-image IMAGE] > sandbox.json

Every figure is checked for the right output before it counts. Times are milliseconds: p50, p90 and the minimum.
The baselines (`sandbox_baselines.py`): a cold interpreter; the process pool of ToRA's `python_executor` (workers that
stay, `exec` and a timeout, no isolation at all; made anew for each batch as ToRA does, and kept warm); a bare fork of
an interpreter as warm as ours, the floor below any session of its own; smolagents' `LocalPythonExecutor`, in the
interpreter PYTHON, which must have `smolagents` and `sympy` installed; and `docker run` of IMAGE, whose `python3` must
have SymPy. What is not there is reported as absent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path

from sandbox_baselines import ANSWERS, BATCH, PRINT, SOLVE, baselines, check, summary

from abaci.sandbox.base import Limits
from abaci.sandbox.bubblewrap import BubblewrapSandbox
from abaci.sandbox.config import BubblewrapConfig, LandlockConfig
from abaci.sandbox.landlock import LandlockSandbox
from abaci.sandbox.local import LocalSandbox

LEVELS = (1, 8, 64)
SESSIONS_A_LEVEL = 192
OPEN_SESSIONS = 500
CONCURRENCY = 8
PATIENT = Limits(timeout_s=120)
"""A busy machine is slow, and no reason to fail."""


def make(tier: str, spares: int, max_sessions: int = 64) -> LocalSandbox:
    """The sandbox of `tier`, with so many spare sessions."""
    if tier == "landlock":
        return LandlockSandbox(LandlockConfig(spares=spares, max_sessions=max_sessions, wait_s=600))
    return BubblewrapSandbox(BubblewrapConfig(spares=spares, max_sessions=max_sessions, wait_s=600))


async def measure(repeat: int, action: Callable[[], Awaitable[float]]) -> dict[str, float]:
    """The summary of `repeat` runs of `action`, which returns the seconds that count."""
    await action()
    return summary([await action() for _ in range(repeat)])


async def fresh(sandbox: LocalSandbox, code: str, pause_s: float) -> float:
    """Seconds from asking for a session to its first program's answer."""
    # Long enough for a spare to be ready again, where there are spares.
    await asyncio.sleep(pause_s)
    started = time.perf_counter()
    async with sandbox.session() as session:
        execution = await session.execute(code, PATIENT)
        elapsed = time.perf_counter() - started
    check(code, execution.stdout)
    return elapsed


async def second(sandbox: LocalSandbox, repeat: int) -> dict[str, float]:
    """Programs in a session that is already in use."""
    async with sandbox.session() as session:

        async def once() -> float:
            started = time.perf_counter()
            execution = await session.execute(PRINT)
            elapsed = time.perf_counter() - started
            check(PRINT, execution.stdout)
            return elapsed

        return await measure(repeat * 10, once)


async def each_once(sandbox: LocalSandbox, programs: list[str], level: int) -> float:
    """Seconds for all `programs`, each in a session of its own, `level` at a time."""
    left = iter(programs)

    async def work() -> None:
        for code in left:
            await fresh(sandbox, code, 0)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(level)))
    return time.perf_counter() - started


async def throughput(sandbox: LocalSandbox, level: int) -> float:
    """Sessions a second, each opened, used once and closed, `level` at a time."""
    return round(SESSIONS_A_LEVEL / await each_once(sandbox, [PRINT] * SESSIONS_A_LEVEL, level), 1)


def proportional_bytes(pid: int) -> int:
    """The memory of a process, what it shares counted in parts (PSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


async def many_open(tier: str) -> dict[str, float]:
    """So many sessions open at once, all used: seconds to get there, and the memory of each (root only)."""
    started = time.perf_counter()
    async with make(tier, spares=0, max_sessions=OPEN_SESSIONS) as sandbox, AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(sandbox.session()) for _ in range(OPEN_SESSIONS)]
        for execution in await asyncio.gather(*(session.execute(PRINT, PATIENT) for session in sessions)):
            check(PRINT, execution.stdout)
        figures: dict[str, float] = {"sessions": len(sessions), "seconds": round(time.perf_counter() - started, 2)}
        pids = [session.pid for session in sessions[:50]]
        try:
            sizes = [proportional_bytes(pid) for pid in pids if pid is not None]
        except PermissionError:
            return figures
        return figures | {"pss_mb_a_session_p50": round(statistics.median(sizes) / 1e6, 1)}


def held() -> dict[str, int]:
    """What this process and all below it hold: memory, descriptors, processes."""
    status = Path("/proc/self/status").read_text().splitlines()
    resident_kb = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    below, waiting = 0, [os.getpid()]
    while waiting:
        pid = waiting.pop()
        # A process that has just ended has no children.
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            children = [int(word) for word in task.read_text().split()]
            below += len(children)
            waiting += children
    return {"resident_kb": resident_kb, "descriptors": len(os.listdir("/proc/self/fd")), "processes": below}


async def in_a_row(tier: str, count: int) -> dict[str, object]:
    """What has grown after `count` sessions, compared with after the first tenth."""
    async with make(tier, spares=2) as sandbox:

        async def settled() -> dict[str, int]:
            await asyncio.sleep(30 if count >= 1000 else 6)  # Spares that a burst added have gone by then.
            return held()

        await each_once(sandbox, [PRINT] * (count // 10), CONCURRENCY)
        before = await settled()
        started = time.perf_counter()
        await each_once(sandbox, [PRINT] * (count - count // 10), CONCURRENCY)
        elapsed = time.perf_counter() - started
        after = await settled()
    growth = {f"{name}_growth": after[name] - before[name] for name in before}
    return {"sessions": count, "sessions_per_s": round((count - count // 10) / elapsed, 1), **growth}


async def sandboxed(tier: str, repeat: int, sessions: int) -> dict[str, object]:
    """Every figure of the sandbox itself."""
    figures: dict[str, object] = {}
    started = time.perf_counter()
    async with make(tier, spares=4) as sandbox:
        figures["start_ms"] = round((time.perf_counter() - started) * 1e3)
        await asyncio.sleep(0.5)
        figures["fresh_print_with_spare"] = await measure(repeat, lambda: fresh(sandbox, PRINT, 0.05))
        figures["fresh_solve_with_spare"] = await measure(repeat, lambda: fresh(sandbox, SOLVE, 0.05))
        figures["second_print"] = await second(sandbox, repeat)
        figures["sessions_per_s"] = {str(level): await throughput(sandbox, level) for level in LEVELS}
        figures[f"{len(BATCH)}_programs_s"] = round(await each_once(sandbox, list(BATCH), CONCURRENCY), 2)
    async with make(tier, spares=0) as sandbox:
        figures["fresh_print_without_spare"] = await measure(repeat, lambda: fresh(sandbox, PRINT, 0))
        figures["fresh_solve_without_spare"] = await measure(repeat, lambda: fresh(sandbox, SOLVE, 0))
    figures["open_at_once"] = await many_open(tier)
    figures["in_a_row"] = await in_a_row(tier, sessions)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tier", choices=("bubblewrap", "landlock"), default="bubblewrap")
    parser.add_argument("--repeat", type=int, default=50)
    parser.add_argument("--sessions", type=int, default=10_000, help="how many in a row are looked at for growth")
    parser.add_argument("--smolagents", metavar="PYTHON", default=sys.executable)
    parser.add_argument("--docker-image", metavar="IMAGE")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    report = {
        "tier": options.tier,
        "programs": list(ANSWERS)[:2],
        "sandbox": asyncio.run(sandboxed(options.tier, options.repeat, options.sessions)),
        "baseline": baselines(options.repeat, options.smolagents, options.docker_image),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "load_1min_before": round(load, 2)},
        "versions": {name: version(name) for name in ("sympy", "numpy", "scipy")}
        | {"python": platform.python_version()},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
