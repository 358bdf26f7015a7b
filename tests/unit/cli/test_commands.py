"""The command line as a whole, without starting anything: help, errors, exit codes, and what is imported when."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from abaci import __version__
from abaci.cli import COMMANDS, cli
from abaci.cli.command import Command, debug_option
from abaci.cli.reference import render_reference
from abaci.cli.solve import BUNDLED_MODEL_NOTE
from abaci.errors import AbaciError, BackendUnavailable, InvalidInput, ModelLoadError, RunNotFound, SandboxUnavailable
from abaci.traces.config import SqliteTraceConfig
from abaci.traces.sqlite import SqliteTraceStore
from abaci.types import Problem, RunStarted, TraceEvent

REPOSITORY = Path(__file__).parents[3]
ENGINES = {"torch", "vllm", "triton", "langgraph", "langchain_core", "openai"}
SERVICES = {"fastapi", "starlette", "uvicorn", "redis", "docker", "aiosqlite", "httpx"}
MATHEMATICS = {"numpy", "sympy", "scipy", "mpmath", "math_verify"}
HEAVY = ENGINES | SERVICES | MATHEMATICS
OWN_FACE = {"pydantic", "rich"}
"""Needed by commands, but not by their list."""


def modules_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nimport json\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_abaci_loads_nothing_heavy() -> None:
    assert modules_after("import abaci").isdisjoint(HEAVY | OWN_FACE)


def test_help_loads_nothing_heavy() -> None:
    loaded = modules_after("from abaci.cli import cli\ncli(['--help'], standalone_mode=False)")
    assert loaded.isdisjoint(HEAVY | OWN_FACE)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_loads_no_engine(name: str) -> None:
    loaded = modules_after(f"from abaci.cli import cli\ncli([{name!r}, '--help'], standalone_mode=False)")
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("arguments", [["trace"], ["vote", "pools.jsonl"], ["doctor", "--json"]])
def test_a_command_that_starts_no_chain_loads_no_graph(arguments: list[str], tmp_path: Path) -> None:
    pool = {"gold": "2", "candidates": [{"run": "a", "answer": "2", "correct": True}]}
    (tmp_path / "pools.jsonl").write_text(json.dumps(pool))
    loaded = modules_after(
        f"""
import os
os.chdir({str(tmp_path)!r})
os.environ.update(
    ABACI_CONFIG=os.devnull, ABACI_TRACES__KIND="sqlite", ABACI_TRACES__PATH="traces.db",
    ABACI_BACKEND__KIND="scripted", ABACI_BACKEND__REPLIES='["42"]',
)
from abaci.cli import cli
cli({arguments!r}, standalone_mode=False)
"""
    )
    assert "abaci.app" in loaded
    assert loaded.isdisjoint({"langgraph", "langchain_core"})


@pytest.mark.parametrize("name", COMMANDS)
def test_the_listed_summary_is_the_commands_own(name: str) -> None:
    module, summary = COMMANDS[name]
    command: click.Command = getattr(import_module(module), name)
    assert (command.help or "").strip().partition("\n")[0] == summary


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(cli, ["--version"]).stdout == f"abaci, version {__version__}\n"


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(cli, ["frobnicate"])
    assert result.exit_code == 2
    assert "No such command" in result.stderr


@pytest.mark.parametrize("others", [("What is 1 + 1?",), ("--file", "-"), ("--samples", "2"), ("--set", "a=1")])
def test_a_resumed_run_takes_no_question_and_no_options(others: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, ["solve", "--resume", "run_" + "0" * 24, *others])
    assert result.exit_code == 2
    assert "as it was begun" in result.stderr


def test_a_run_that_is_not_stored_is_told_before_an_engine_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ABACI_TRACES__KIND", "sqlite")
    monkeypatch.setenv("ABACI_TRACES__PATH", str(tmp_path / "traces.db"))
    run_id = "run_" + "0" * 24
    result = CliRunner().invoke(cli, ["solve", "--resume", run_id])
    assert (result.exit_code, result.stdout) == (2, "")
    assert run_id in result.stderr
    assert BUNDLED_MODEL_NOTE not in result.stderr


def test_a_run_that_another_process_works_on_is_told_before_an_engine_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = SqliteTraceConfig(path=tmp_path / "traces.db")
    monkeypatch.setenv("ABACI_TRACES__KIND", "sqlite")
    monkeypatch.setenv("ABACI_TRACES__PATH", str(config.path))
    run_id, is_claimed, is_over = "run_" + "0" * 24, threading.Event(), threading.Event()

    async def work() -> None:
        body = RunStarted(problem=Problem(question="What?"), model="tiny")
        async with SqliteTraceStore(config) as store:
            await store.append([TraceEvent(run_id=run_id, seq=0, at=0.0, body=body)])
            while not await asyncio.to_thread(is_over.wait, 0.1):
                await store.claim(run_id, "another", 60.0)
                is_claimed.set()

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(lambda: asyncio.run(work()))
        try:
            assert is_claimed.wait(30)
            result = CliRunner().invoke(cli, ["solve", "--resume", run_id])
        finally:
            is_over.set()
        working.result(10)
    assert (result.exit_code, result.stdout) == (2, "")
    waiting, refusal = result.stderr.splitlines()
    assert waiting == "Waiting for 60 s at most, whether another process works on it."
    assert f"{run_id} is going on, here or in another process" in refusal
    assert BUNDLED_MODEL_NOTE not in result.stderr


def test_what_is_no_run_id_is_not_resumed() -> None:
    result = CliRunner().invoke(cli, ["solve", "--resume", "run_1"])
    assert result.exit_code == 2
    assert "'run_1' is no run id" in result.stderr


def test_the_reference_page_is_up_to_date() -> None:
    assert (REPOSITORY / "docs" / "cli.md").read_text(encoding="utf-8") == render_reference()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("no"), 2),
        (ModelLoadError("no"), 2),
        (RunNotFound("run_x"), 2),
        (BackendUnavailable("no"), 1),
        (SandboxUnavailable("no"), 1),
        (AbaciError("no"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, AbaciError) else str(value),
)
def test_an_error_is_one_line_and_an_exit_code(error: AbaciError, code: int) -> None:
    @click.command(cls=Command)
    @debug_option
    def fail() -> None:
        raise error

    result = CliRunner().invoke(fail)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", f"abaci: {error}\n")


def test_an_error_that_repeats_hostile_text_steers_no_terminal() -> None:
    @click.command(cls=Command)
    def fail() -> None:
        raise BackendUnavailable("the server said \x1b]0;owned\x07no\nabaci: \x1b[2Jsolved")

    assert CliRunner().invoke(fail).stderr == "abaci: the server said no abaci: solved\n"


def test_a_full_disk_is_told_also_where_standard_output_is_closed() -> None:
    script = """
import errno, click
from abaci.cli.command import Command

@click.command(cls=Command)
def fail():
    raise OSError(errno.ENOSPC, "full")

fail()
"""
    shell = ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, script]
    done = subprocess.run(shell, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "abaci: nothing more can be written: [Errno 28] full\n")


def test_debug_shows_the_traceback() -> None:
    @click.command(cls=Command)
    @debug_option
    def fail() -> None:
        raise InvalidInput("no")

    assert isinstance(CliRunner().invoke(fail, ["--debug"]).exception, InvalidInput)


def test_an_interruption_exits_with_130() -> None:
    @click.command(cls=Command)
    def stop() -> None:
        raise KeyboardInterrupt

    assert CliRunner().invoke(stop).exit_code == 130


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["solve"], "give either a QUESTION or --file"),
        (["solve", "2+2?", "--samples", "0"], "'--samples'"),
        (["solve", " "], "the question is empty"),
        (["solve", "2+2?", "--style", "baroque"], "no prompt style 'baroque'"),
        (["solve", "2+2?", "--model", "/nowhere/model"], "there is no model directory /nowhere/model"),
        (["solve", "2+2?", "--server", "http://127.0.0.1:1/v1"], "Name it with --model"),
        (["trace", "latest"], "'latest' is no run id"),
        (["trace", "--limit", "0"], "--limit"),
        (["grade", "/nowhere/pairs.jsonl"], "cannot read /nowhere/pairs.jsonl"),
        (["vote", "x.jsonl", "--aggregator", "oracle"], "'oracle' is not"),
        (["serve", "--port", "99999"], "--port"),
    ],
)
def test_bad_input_is_refused_at_once(arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABACI_CONFIG", os.devnull)
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert "Traceback" not in result.stderr
