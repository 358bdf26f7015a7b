"""Published trajectories as text."""

from __future__ import annotations

import pytest

from abaci.evaluation.transcript import RecordedProgram, is_refused, read_programs, render_execution
from abaci.types import Execution, ExecutionStatus


def test_programs_come_with_their_outputs() -> None:
    text = "I add.\n```python\nx = 1\nprint(x)\n```\n```output\n1\n```\nSo\n```python\nprint(2)\n```\n"
    text += "```output\n2\n3\n```\n"
    assert read_programs(text) == [RecordedProgram(0, "x = 1\nprint(x)", "1"), RecordedProgram(1, "print(2)", "2\n3")]


def test_a_program_that_was_never_run_is_left_out_but_counted() -> None:
    text = "```python\na\n```\n```python\nb\n```\n```output\n1\n```\n"
    assert read_programs(text) == [RecordedProgram(1, "b", "1")]


def test_an_output_without_a_program_is_left_out() -> None:
    assert read_programs("```output\n1\n```\n```python\nopen") == []


@pytest.mark.parametrize(
    ("execution", "shown"),
    [
        (Execution(status=ExecutionStatus.OK, stdout=" 5\n"), "5"),
        (Execution(status=ExecutionStatus.OK, stdout="\n", result="7"), "Done"),
        (Execution(status=ExecutionStatus.ERROR, stdout="5\n", error="ValueError: no"), "ValueError: no"),
        (Execution(status=ExecutionStatus.ERROR, error="ValueError: first\nsecond"), "second"),
        (Execution(status=ExecutionStatus.TIMEOUT, stdout="5\n", error="stopped"), "Timeout Error"),
        (Execution(status=ExecutionStatus.MEMORY), "memory"),
        (Execution(status=ExecutionStatus.OK, stdout="x" * 400), "x" * 400),
        (Execution(status=ExecutionStatus.OK, stdout="a" * 300 + "b" * 300), "a" * 200 + "..." + "b" * 200),
    ],
)
def test_executions_are_shown_as_published(execution: Execution, shown: str) -> None:
    assert render_execution(execution) == shown


def test_programs_that_ask_or_shell_out_were_refused() -> None:
    assert [is_refused(code) for code in ("n = input()", "import os\nos.system('ls')", "print(1)")] == [
        True,
        True,
        False,
    ]
