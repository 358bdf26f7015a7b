"""The scripted double."""

from __future__ import annotations

import asyncio

import pytest

from abaci.errors import SandboxError
from abaci.sandbox.base import Limits
from abaci.sandbox.scripted import ScriptedSandbox
from abaci.types import Execution, ExecutionStatus


def echo(code: str) -> Execution:
    return Execution(status=ExecutionStatus.OK, stdout=code)


async def test_a_function_answers_programs() -> None:
    async with ScriptedSandbox(echo) as sandbox, sandbox.session() as session:
        assert (await session.execute("print(1)")).stdout == "print(1)"


async def test_an_async_function_answers_programs() -> None:
    async def slow(code: str) -> Execution:
        await asyncio.sleep(0)
        return echo(code)

    async with ScriptedSandbox(slow) as sandbox, sandbox.session() as session:
        assert (await session.execute("x")).stdout == "x"


async def test_a_table_answers_programs() -> None:
    async with ScriptedSandbox({"1": echo("one")}) as sandbox, sandbox.session() as session:
        assert (await session.execute("1")).stdout == "one"


async def test_a_program_missing_from_the_table_is_an_error_that_names_it() -> None:
    async with ScriptedSandbox({}) as sandbox, sandbox.session() as session:
        with pytest.raises(SandboxError, match="no entry for the program 'x'"):
            await session.execute("x")


async def test_programs_and_limits_are_recorded() -> None:
    async with ScriptedSandbox(echo) as sandbox, sandbox.session() as one, sandbox.session() as two:
        await one.execute("a", Limits(timeout_s=1))
        await two.execute("b")
    assert sandbox.programs == ["a", "b"]
    assert one.programs == ["a"]
    assert [limits.timeout_s for limits in sandbox.limits] == [1, 5]


async def test_open_sessions_are_counted() -> None:
    async with ScriptedSandbox(echo) as sandbox:
        async with sandbox.session(), sandbox.session():
            assert sandbox.open_sessions == 2
        assert (sandbox.open_sessions, sandbox.max_open_sessions) == (0, 2)
