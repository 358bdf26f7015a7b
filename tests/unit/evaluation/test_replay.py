"""Replay: what counts, and why a program differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from abaci.evaluation.replay import ReplayOptions, ReplayReport, replay_trajectories
from abaci.grading.grader import Grader
from abaci.sandbox.scripted import ScriptedSandbox
from abaci.types import Execution, ExecutionStatus

NOTHING = Execution(status=ExecutionStatus.OK)


def printed(text: str) -> Execution:
    return Execution(status=ExecutionStatus.OK, stdout=text)


def failed(error: str) -> Execution:
    return Execution(status=ExecutionStatus.ERROR, error=error)


def record(code: str, output: str) -> str:
    return f"```python\n{code}\n```\n```output\n{output}\n```\n"


async def replay(folder: Path, text: str, sandbox: ScriptedSandbox, options: ReplayOptions) -> ReplayReport:
    path = folder / "trajectories.jsonl"
    path.write_text(json.dumps({"idx": 7, "code": [text], "pred": ["1"], "gt": "1"}) + "\n")
    async with Grader(sandbox) as grader:
        return await replay_trajectories(path, sandbox, grader, options)


@pytest.mark.parametrize(
    ("code", "expected", "execution", "cause"),
    [
        (
            "f()",
            "timeout_decorator.TimeoutError: 'Timed Out'",
            Execution(status=ExecutionStatus.TIMEOUT),
            "timeout wording",
        ),
        ("f()", "Timeout Error", printed("5"), "timeout"),
        ("f()", "5", Execution(status=ExecutionStatus.TIMEOUT), "timeout"),
        ("f()", "TypeError: a", failed("TypeError: b"), "error wording"),
        ("f()", "json.JSONDecodeError: a", failed("JSONDecodeError: b"), "error wording"),
        ("import q", "5", failed("ModuleNotFoundError: No module named 'q'"), "module missing"),
        ("f()", "5", Execution(status=ExecutionStatus.KILLED), "sandbox limit"),
        ("from sympy import *", "5", printed("5.0"), "library version"),
        ("f()", "5", printed("6"), "output"),
    ],
)
async def test_a_mismatch_is_classified(
    tmp_path: Path, code: str, expected: str, execution: Execution, cause: str
) -> None:
    sandbox = ScriptedSandbox(lambda asked: execution if asked == code else NOTHING)
    report = await replay(tmp_path, record(code, expected), sandbox, ReplayOptions())
    mismatch = report.model_dump()["mismatches"][0]
    assert (mismatch["class"], mismatch["line"], mismatch["idx"]) == (cause, 1, "7")
    assert (report.programs, report.exact) == (1, 0)


async def test_state_from_an_earlier_program_is_recognised(tmp_path: Path) -> None:
    seen: list[str] = []

    def reply(code: str) -> Execution:
        seen.append(code)
        if code == "use(n)":
            return printed("5") if seen[-2] == "n = 5" else failed("NameError: name 'n' is not defined")
        return NOTHING

    text = record("n = 5", "Done") + record("use(n)", "5")
    report = await replay(tmp_path, text, ScriptedSandbox(reply), ReplayOptions())
    assert [mismatch.cause for mismatch in report.mismatches] == ["state carried"]
    seen.clear()
    report = await replay(tmp_path, text, ScriptedSandbox(reply), ReplayOptions(carry_state=True))
    assert (report.exact, report.exact_rate, report.is_state_carried) == (2, 100.0, True)


async def test_each_program_has_a_session_of_its_own(tmp_path: Path) -> None:
    alone, carried = ScriptedSandbox(lambda _: printed("1")), ScriptedSandbox(lambda _: printed("1"))
    text = record("a", "1") + record("b", "1")
    await replay(tmp_path, text, alone, ReplayOptions())
    await replay(tmp_path, text, carried, ReplayOptions(carry_state=True))
    assert (len(alone.programs), len(carried.programs)) == (4, 3)


async def test_a_late_program_gets_a_second_chance_alone(tmp_path: Path) -> None:
    answers = [Execution(status=ExecutionStatus.TIMEOUT), printed("5")]
    sandbox = ScriptedSandbox(lambda code: answers.pop(0) if code == "slow()" else NOTHING)
    report = await replay(tmp_path, record("slow()", "5"), sandbox, ReplayOptions())
    assert (report.exact, report.retried) == (1, 1)


async def test_refused_programs_are_not_run(tmp_path: Path) -> None:
    sandbox = ScriptedSandbox(lambda _: NOTHING)
    report = await replay(tmp_path, record("x = input()", "RuntimeError"), sandbox, ReplayOptions())
    assert report.exact == 1
    assert "x = input()" not in sandbox.programs


async def test_malformed_rows_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"code": ["x"], "gt": "1"}\nnonsense\n')
    sandbox = ScriptedSandbox(lambda _: NOTHING)
    async with Grader(sandbox) as grader:
        report = await replay_trajectories(path, sandbox, grader)
    assert [row.line for row in report.malformed_rows] == [1, 2]
    assert (report.trajectories, report.accuracy, report.p50_ms) == (0, 0.0, None)
