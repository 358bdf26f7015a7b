"""What a model is shown of its programs, and how bad calls are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abaci.sandbox.base import Limits
from abaci.sandbox.scripted import ScriptedSandbox
from abaci.tools.config import PythonToolConfig
from abaci.tools.python import PythonTool, render, truncate
from abaci.types import Execution

# Examples are judged by what they show, not by how long a busy machine takes.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

CONFIG = PythonToolConfig(timeout_s=2.0, memory_bytes=1 << 28, output_chars=100)


async def call(arguments: dict[str, Any], execution: Execution | None = None) -> Any:
    sandbox = ScriptedSandbox(lambda code: execution or Execution(status="ok", stdout=code))
    async with PythonTool(sandbox, CONFIG).open() as session:
        return await session.call(arguments)


async def test_a_program_is_run_within_the_configured_limits() -> None:
    sandbox = ScriptedSandbox(lambda code: Execution(status="ok"))
    async with PythonTool(sandbox, CONFIG).open() as session:
        await session.call({"code": "x = 1"})
    assert sandbox.programs == ["x = 1"]
    assert sandbox.limits == [Limits(timeout_s=2.0, memory_bytes=1 << 28)]


async def test_the_result_holds_the_execution() -> None:
    execution = Execution(status="error", error="TypeError: no")
    result = await call({"code": "x"}, execution)
    assert (result.execution, result.is_error, result.text) == (execution, True, "TypeError: no")


@pytest.mark.parametrize(
    ("arguments", "given_names"),
    [({}, "nothing"), ({"code": 7}, "code"), ({"code": None}, "code"), ({"program": "x", "a": 1}, "a, program")],
)
async def test_bad_arguments_are_answered_with_what_to_change(arguments: dict[str, Any], given_names: str) -> None:
    result = await call(arguments)
    assert result.is_error
    assert result.execution is None
    assert result.text == f'The python tool takes {{"code": "…"}}, a string; it was given: {given_names}.'


async def test_a_refusal_does_not_repeat_a_flood_of_names() -> None:
    result = await call({f"argument_{i}": i for i in range(10_000)})
    assert len(result.text) < 300


async def test_extra_arguments_beside_the_code_do_no_harm() -> None:
    assert (await call({"code": "x", "language": "python"})).text == "x"


@pytest.mark.parametrize("status", ["error", "timeout", "memory", "output_limit", "killed"])
def test_a_failure_that_says_nothing_is_still_named(status: str) -> None:
    assert render(Execution(status=status), 100) == f"the program ended with status {status}"


def test_partial_output_survives_an_error_and_the_error_survives_a_flood() -> None:
    text = render(Execution(status="error", stdout="A" * 5000, error="ValueError: " + "B" * 10), 100)
    assert text.startswith("A" * 50)
    assert text.endswith("ValueError: BBBBBBBBBB")


def test_blank_lines_around_an_output_are_dropped_but_not_its_indentation() -> None:
    assert render(Execution(status="ok", stdout="\n\n  1 2\n  3 4\n\n"), 100) == "  1 2\n  3 4"


def test_an_empty_string_as_a_value_is_shown_as_one() -> None:
    assert render(Execution(status="ok", result="''"), 100) == "''"


def test_text_within_the_limit_is_whole() -> None:
    assert truncate("x" * 100, 100) == "x" * 100


def test_the_note_counts_what_is_missing() -> None:
    assert truncate("a" * 60 + "b" * 60, 100) == "a" * 50 + "\n… 20 characters omitted …\n" + "b" * 50


@given(st.text(max_size=500), st.integers(100, 200))
@patient
def test_truncated_text_is_bounded_and_keeps_both_ends(text: str, limit: int) -> None:
    shown = truncate(text, limit)
    assert len(shown) <= limit + 40
    assert shown[: limit // 2] == text[: limit // 2]
    assert shown[-20:] == text[-20:] or not text
