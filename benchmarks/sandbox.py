"""How fast programs run in the sandbox, beside a cold subprocess and a ToRA-style process pool, in one run; JSON.

    python benchmarks/sandbox.py [--tier bubblewrap|landlock] [--repeat 50] > sandbox.json

Every figure is checked for the right output before it counts. Times are milliseconds: p50, p90 and the minimum.
The process pool is what ToRA's `python_executor` does: workers that stay, `exec` and a timeout, no isolation at all.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version

from abaci.sandbox.base import Sandbox
from abaci.sandbox.bubblewrap import BubblewrapSandbox
from abaci.sandbox.config import BubblewrapConfig, LandlockConfig
from abaci.sandbox.landlock import LandlockSandbox

PRINT = "print(6 * 7)"
SOLVE = "from sympy import *\nx = symbols('x')\nprint(solve(x**2 - 5*x + 6, x))"
ANSWERS = {PRINT: "42\n", SOLVE: "[2, 3]\n"}
LEVELS = (1, 8, 64)
SESSIONS_A_LEVEL = 192


def make(tier: str, spares: int) -> Sandbox:
    """The sandbox of `tier`, with so many spare sessions."""
    if tier == "landlock":
        return LandlockSandbox(LandlockConfig(spares=spares))
    return BubblewrapSandbox(BubblewrapConfig(spares=spares))


def check(code: str, output: str) -> None:
    """Refuse to report a time for a wrong answer."""
    if output != ANSWERS[code]:
        raise SystemExit(f"wrong output {output!r} for {code!r}: no time is reported")


def summary(times_s: list[float]) -> dict[str, float]:
    """p50, p90 and minimum, in milliseconds."""
    deciles = statistics.quantiles(times_s, n=10)
    return {
        "p50_ms": round(statistics.median(times_s) * 1e3, 3),
        "p90_ms": round(deciles[-1] * 1e3, 3),
        "min_ms": round(min(times_s) * 1e3, 3),
    }


async def measure(repeat: int, action: Callable[[], Awaitable[float]]) -> dict[str, float]:
    """The summary of `repeat` runs of `action`, which returns the seconds that count."""
    await action()
    return summary([await action() for _ in range(repeat)])


async def fresh(sandbox: Sandbox, code: str, pause_s: float) -> float:
    """Seconds from asking for a session to its first program's answer."""
    # Long enough for a spare to be ready again, where there are spares.
    await asyncio.sleep(pause_s)
    started = time.perf_counter()
    async with sandbox.session() as session:
        execution = await session.execute(code)
        elapsed = time.perf_counter() - started
    check(code, execution.stdout)
    return elapsed


async def second(sandbox: Sandbox, repeat: int) -> dict[str, float]:
    """Programs in a session that is already in use."""
    async with sandbox.session() as session:

        async def once() -> float:
            started = time.perf_counter()
            execution = await session.execute(PRINT)
            elapsed = time.perf_counter() - started
            check(PRINT, execution.stdout)
            return elapsed

        return await measure(repeat * 10, once)


async def throughput(sandbox: Sandbox, level: int) -> float:
    """Sessions a second, each opened, used once and closed, `level` at a time."""
    left = iter(range(SESSIONS_A_LEVEL))

    async def work() -> None:
        for _ in left:
            await fresh(sandbox, PRINT, 0)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(level)))
    return round(SESSIONS_A_LEVEL / (time.perf_counter() - started), 1)


def cold(code: str) -> float:
    """Seconds of a fresh interpreter for one program."""
    started = time.perf_counter()
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    elapsed = time.perf_counter() - started
    check(code, finished.stdout)
    return elapsed


def run_in_worker(code: str) -> str:
    """What a pool worker does with one program."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(code, {})  # noqa: S102
    return output.getvalue()


def pooled(pool: ProcessPoolExecutor, code: str) -> float:
    """Seconds of one program in a pool worker."""
    started = time.perf_counter()
    output = pool.submit(run_in_worker, code).result(timeout=60)
    elapsed = time.perf_counter() - started
    check(code, output)
    return elapsed


def baselines(repeat: int) -> dict[str, object]:
    """The same programs without a sandbox."""
    with ProcessPoolExecutor(2) as pool:
        for code in ANSWERS:
            pooled(pool, code)
            pooled(pool, code)
        return {
            "cold_subprocess_print": summary([cold(PRINT) for _ in range(max(repeat // 5, 3))]),
            "cold_subprocess_solve": summary([cold(SOLVE) for _ in range(3)]),
            "process_pool_print": summary([pooled(pool, PRINT) for _ in range(repeat)]),
            "process_pool_solve": summary([pooled(pool, SOLVE) for _ in range(repeat)]),
        }


async def sandboxed(tier: str, repeat: int) -> dict[str, object]:
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
    async with make(tier, spares=0) as sandbox:
        figures["fresh_print_without_spare"] = await measure(repeat, lambda: fresh(sandbox, PRINT, 0))
        figures["fresh_solve_without_spare"] = await measure(repeat, lambda: fresh(sandbox, SOLVE, 0))
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tier", choices=("bubblewrap", "landlock"), default="bubblewrap")
    parser.add_argument("--repeat", type=int, default=50)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    report = {
        "tier": options.tier,
        "sandbox": asyncio.run(sandboxed(options.tier, options.repeat)),
        "baseline": baselines(options.repeat),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "load_1min_before": round(load, 2)},
        "versions": {name: version(name) for name in ("sympy", "numpy", "scipy")}
        | {"python": platform.python_version()},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
