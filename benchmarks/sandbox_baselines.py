"""What `sandbox.py` compares with: other ways to run the same programs, and the programs themselves."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

PRINT = "print(6 * 7)"
SOLVE = "from sympy import *\nx = symbols('x')\nprint(solve(x**2 - 5*x + 6, x))"
BATCH = {
    f"from sympy import *\nx = symbols('x')\nprint(sorted(solve(x**2 - {a + b}*x + {a * b}, x)))": f"[{a}, {b}]\n"
    for a in range(1, 11)
    for b in range(21, 41)
}
"""200 independent programs."""
ANSWERS = {PRINT: "42\n", SOLVE: "[2, 3]\n"} | BATCH

_SMOLAGENTS = """
import json, sys, time
from smolagents.local_python_executor import LocalPythonExecutor
programs, repeat = json.loads(sys.stdin.read())
times = {}
for name, (code, answer) in programs.items():
    for _ in range(repeat + 1):
        started = time.perf_counter()
        executor = LocalPythonExecutor(["sympy", "sympy.*"])
        executor.send_tools({})
        logs = executor(code).logs
        times.setdefault(name, []).append(time.perf_counter() - started)
        assert logs == answer, (logs, answer)
print(json.dumps({name: each[1:] for name, each in times.items()}))
"""

_BARE_FORK = """
import ctypes, json, os, sys, time
from abaci.sandbox.worker.warm import warm_up
programs, batch, repeat = json.loads(sys.stdin.read())
warm_up()
# As the sandbox forks: without Python's hooks for threads and locks.
fork = ctypes.PyDLL(None).fork

def start(code):
    read, write = os.pipe()
    pid = fork()
    if pid == 0:
        os.dup2(write, 1)
        sys.stdout = open(1, "w", closefd=False)
        exec(code, {})
        sys.stdout.flush()
        os._exit(0)
    os.close(write)
    return pid, read

def end(pid, read, answer):
    output = os.read(read, 4096).decode()
    os.close(read)
    os.waitpid(pid, 0)
    assert output == answer, (output, answer)

def timed(code, answer):
    started = time.perf_counter()
    end(*start(code), answer)
    return time.perf_counter() - started

def all_at_two(cases):
    started = time.perf_counter()
    running = []
    for code, answer in cases:
        running.append((*start(code), answer))
        if len(running) == 2:
            end(*running.pop(0))
    while running:
        end(*running.pop(0))
    return time.perf_counter() - started

times = {name: [timed(*case) for _ in range(repeat + 1)][1:] for name, case in programs.items()}
print(json.dumps([times, all_at_two(batch), all_at_two([programs["print"]] * 200)]))
"""
"""The floor below any session that starts from a warm interpreter: fork, run, exit, and no isolation at all."""


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


def baselines(repeat: int, smolagents_python: str, docker_image: str | None) -> dict[str, object]:
    """The same programs without our sandbox."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for code in (PRINT, SOLVE):
            pooled(pool, code)
            pooled(pool, code)
        figures: dict[str, object] = {
            "cold_subprocess_print": summary([cold([sys.executable], PRINT) for _ in range(max(repeat // 5, 3))]),
            "cold_subprocess_solve": summary([cold([sys.executable], SOLVE) for _ in range(3)]),
            "process_pool_print": summary([pooled(pool, PRINT) for _ in range(repeat)]),
            "process_pool_solve": summary([pooled(pool, SOLVE) for _ in range(repeat)]),
            f"process_pool_warm_{len(BATCH)}_programs_s": batch(pool),
        }
    started = time.perf_counter()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        batch(pool)
    figures[f"process_pool_{len(BATCH)}_programs_s"] = round(time.perf_counter() - started, 2)
    figures["bare_fork"] = bare_fork(repeat)
    figures["smolagents_local_executor"] = smolagents(smolagents_python, repeat)
    figures["docker_run"] = docker_run(docker_image)
    return figures


def cold(command: list[str], code: str) -> float:
    """Seconds of a fresh interpreter, started by `command`, for one program."""
    started = time.perf_counter()
    finished = subprocess.run([*command, "-c", code], capture_output=True, text=True, check=True)
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


def batch(pool: ProcessPoolExecutor) -> float:
    """Seconds of all programs of the batch, as many at a time as the pool has workers."""
    started = time.perf_counter()
    for code, output in zip(BATCH, pool.map(run_in_worker, BATCH, timeout=300), strict=True):
        check(code, output)
    return round(time.perf_counter() - started, 2)


def bare_fork(repeat: int) -> dict[str, object]:
    """A fork of a warm interpreter for each program, without isolation, limits or a channel: two at a time at the most.

    It warms up as the sandbox's worker does, so the difference is what isolation costs.
    """
    programs = {"print": (PRINT, ANSWERS[PRINT]), "solve": (SOLVE, ANSWERS[SOLVE])}
    question = json.dumps([programs, list(BATCH.items()), repeat])
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _BARE_FORK]
    finished = subprocess.run(command, input=question, capture_output=True, text=True, check=True, env=environment)
    times, batch_s, prints_s = json.loads(finished.stdout.splitlines()[-1])
    return {
        **{name: summary(each) for name, each in times.items()},
        f"{len(BATCH)}_programs_s": round(batch_s, 2),
        "forks_per_s": round(200 / prints_s, 1),
    }


def smolagents(python: str, repeat: int) -> dict[str, object]:
    """smolagents' executor, a new one for each program, in the interpreter `python`."""
    programs = {"print": (PRINT, ANSWERS[PRINT]), "solve": (SOLVE, ANSWERS[SOLVE])}
    question = json.dumps([programs, repeat])
    finished = subprocess.run([python, "-c", _SMOLAGENTS], input=question, capture_output=True, text=True, check=False)
    if finished.returncode:
        lines = finished.stderr.strip().splitlines()
        return {"absent": lines[-1] if lines else f"exit status {finished.returncode}"}
    return {name: summary(times) for name, times in json.loads(finished.stdout).items()}


def docker_run(image: str | None) -> dict[str, object]:
    """A container for each program, hardened, from nothing."""
    if image is None or shutil.which("docker") is None:
        return {"absent": "no --docker-image was given" if image is None else "the program docker is not installed"}
    hardened = ["--rm", "--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
    command = ["docker", "run", *hardened, "--entrypoint=python3", image]
    try:
        return {
            "print": summary([cold(command, PRINT) for _ in range(5)]),
            "solve": summary([cold(command, SOLVE) for _ in range(3)]),
        }
    except subprocess.CalledProcessError as error:
        return {"absent": str(error.stderr).strip()[-300:]}
