"""Ctrl-C during a run: nothing that it started lives on, and its trace is closed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from process_table import descendants, is_alive

from abaci.cli import cli

BOUND_S = 10.0
"""A busy machine's; an idle one takes a quarter of a second, with an engine too."""

PROGRAM = "I compute.\n```python\nprint(6 * 7)\n```\n"
ENDLESS_PROGRAM = "I wait.\n```python\nwhile True: pass\n```\n"


@dataclass(frozen=True)
class Interrupted:
    """How a command ended after Ctrl-C."""

    exit_code: int
    survivors: set[int]
    printed: str
    said: str


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ABACI_CONFIG", os.devnull)
    monkeypatch.setenv("ABACI_TRACES__KIND", "sqlite")
    monkeypatch.setenv("ABACI_TRACES__PATH", str(tmp_path / "traces.db"))


def script(monkeypatch: pytest.MonkeyPatch, reply: str, latency_s: float = 0.0) -> None:
    monkeypatch.setenv("ABACI_BACKEND__KIND", "scripted")
    monkeypatch.setenv("ABACI_BACKEND__REPLIES", json.dumps([reply]))
    monkeypatch.setenv("ABACI_BACKEND__LATENCY_S", str(latency_s))


def interrupt_solve(at: str, *options: str) -> Interrupted:
    """Press Ctrl-C on a terminal as soon as `abaci solve` says `at`, and look what is left after it has ended."""
    command = [sys.executable, "-m", "abaci.cli", "solve", "What is 6 times 7?", *options]
    # A terminal signals the whole foreground group, not the command alone.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        started = "".join(iter(lambda: _line_before(process, at), ""))
        children = descendants(process.pid)
        assert children, started
        os.killpg(process.pid, signal.SIGINT)
        deadline = time.monotonic() + BOUND_S
        exit_code = process.wait(timeout=BOUND_S)
        while (survivors := set(filter(is_alive, children))) and time.monotonic() < deadline:
            time.sleep(0.01)
        return Interrupted(exit_code, survivors, process.stdout.read(), started + process.stderr.read())


def _line_before(process: subprocess.Popen[str], at: str) -> str:
    """The next line that the command says, or nothing when it says `at`."""
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line, "the command ended by itself"
    return "" if at in line else line


def stored_run() -> dict[str, object]:
    """The only run in the trace store."""
    listed = CliRunner().invoke(cli, ["trace", "--json"])
    [run] = json.loads(listed.stdout)["runs"]
    assert isinstance(run, dict)
    return run


def assert_nothing_is_left(ended: Interrupted) -> None:
    assert (ended.exit_code, ended.survivors, ended.printed) == (130, set(), "")
    run = stored_run()
    assert run["status"] == "cancelled"
    assert f"abaci: interrupted; abaci trace {run['run_id']} shows the run" in ended.said
    # That its sessions end is no news to whoever pressed the key.
    assert "worker has died" not in ended.said


def test_ctrl_c_while_the_model_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, PROGRAM, latency_s=100.0)
    assert_nothing_is_left(interrupt_solve("script: What is", "--samples", "4"))


def test_ctrl_c_while_a_program_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, ENDLESS_PROGRAM)
    monkeypatch.setenv("ABACI_PYTHON__TIMEOUT_S", "60")
    assert_nothing_is_left(interrupt_solve("runs 1 line of Python", "--samples", "4"))


def test_an_interrupted_run_goes_on_with_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, PROGRAM, latency_s=100.0)
    ended = interrupt_solve("script: What is", "--samples", "3")
    run_id = stored_run()["run_id"]
    assert f"abaci solve --resume {run_id} goes on with it" in ended.said
    script(monkeypatch, "It is $\\boxed{42}$.")
    resumed = CliRunner().invoke(cli, ["solve", "--resume", str(run_id), "--json"])
    assert resumed.exit_code == 0, resumed.stderr
    solution = json.loads(resumed.stdout)
    assert (solution["run_id"], solution["answer"], len(solution["trajectories"])) == (run_id, "42", 3)
    assert stored_run()["status"] == "solved"
    assert "goes on after" in resumed.stderr


@pytest.mark.engine
def test_ctrl_c_while_an_engine_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ABACI_MODEL", "ABACI_SERVER", "ABACI_BACKEND__KIND"):
        monkeypatch.delenv(name, raising=False)
    # Hot, so that the votes of so many chains are far from decided when the first program is written.
    ended = interrupt_solve("of Python", "--samples", "64", "--rounds", "20", "--temperature", "2")
    assert_nothing_is_left(ended)


@pytest.mark.engine
def test_ctrl_c_while_an_engine_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ABACI_MODEL", "ABACI_SERVER", "ABACI_BACKEND__KIND"):
        monkeypatch.delenv(name, raising=False)
    ended = interrupt_solve("loading /")
    assert (ended.exit_code, ended.survivors, ended.printed) == (130, set(), "")
