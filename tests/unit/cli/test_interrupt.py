"""Signals, in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import asyncio
from abaci.cli.interrupt import run_interruptibly

async def work():
    print("working", flush=True)
    try:
        {body}
    finally:
        {end}
        print("ended in order", flush=True)

try:
    run_interruptibly(work(){grace})
except KeyboardInterrupt:
    raise SystemExit(130)
"""


def start(body: str = "await asyncio.sleep(60)", end: str = "pass", grace: str = "") -> subprocess.Popen[str]:
    program = PROGRAM.format(body=body, end=end, grace=grace)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    return process


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    with process:
        assert process.stdout is not None
        # Ends with the process: a hang is ended by the test's own limit.
        out = process.stdout.read()
        return process.wait(timeout=30), out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_work_in_order(number: signal.Signals) -> None:
    process = start(grace=", lambda: 20.0")
    process.send_signal(number)
    assert end_of(process) == (130, "ended in order\n")


def test_work_that_does_not_end_is_ended() -> None:
    process = start(end="await asyncio.sleep(60)", grace=", lambda: 0.2")
    process.send_signal(signal.SIGINT)
    assert end_of(process) == (130, "")


def test_work_that_holds_up_the_event_loop_is_ended() -> None:
    process = start(end="import time; time.sleep(60)", grace=", lambda: 0.2")
    process.send_signal(signal.SIGINT)
    assert end_of(process) == (130, "")


def test_a_second_signal_ends_the_process_at_once() -> None:
    process = start(end="await asyncio.sleep(60)", grace=", lambda: 50.0")
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert end_of(process) == (130, "")


def test_work_that_is_not_interrupted_gives_its_result() -> None:
    process = start(body="return 1")
    assert end_of(process) == (0, "ended in order\n")
