"""The tool contract, over every implementation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abaci.errors import SandboxError
from abaci.sandbox.scripted import ScriptedSandbox
from abaci.tools.base import Tool, ToolResult
from abaci.tools.config import PythonToolConfig
from abaci.tools.python import PythonTool
from abaci.types import Execution

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@dataclass
class Case:
    """A tool, arguments that it accepts, what it runs on, and the same tool on something broken."""

    tool: Tool
    arguments: dict[str, str]
    sandbox: ScriptedSandbox
    broken: Tool


def python_case() -> Case:
    def fail(code: str) -> Execution:
        raise SandboxError("broken")

    sandbox = ScriptedSandbox(lambda code: Execution(status="ok", stdout=code))
    return Case(
        tool=PythonTool(sandbox, PythonToolConfig()),
        arguments={"code": "1 + 1"},
        sandbox=sandbox,
        broken=PythonTool(ScriptedSandbox(fail), PythonToolConfig()),
    )


@pytest.fixture(params=[python_case])
def case(request: pytest.FixtureRequest) -> Case:
    make: Callable[[], Case] = request.param
    return make()


def test_the_schema_is_a_json_schema_of_type_object(case: Case) -> None:
    spec = case.tool.spec
    assert spec.parameters["type"] == "object"
    assert set(spec.parameters["required"]) <= set(spec.parameters["properties"])
    assert json.loads(json.dumps(spec.parameters)) == spec.parameters


def test_the_name_is_one_that_every_server_accepts(case: Case) -> None:
    assert case.tool.spec.name.isidentifier()
    assert case.tool.spec.description


async def test_good_arguments_give_a_result_with_text(case: Case) -> None:
    async with case.tool.open() as session:
        result = await session.call(dict(case.arguments))
    assert result.text
    assert not result.is_error


@given(arguments=st.dictionaries(st.text(max_size=8), JSON, max_size=4))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_no_arguments_at_all_can_make_it_raise(case: Case, arguments: dict[str, object]) -> None:
    async with case.tool.open() as session:
        assert isinstance(await session.call(arguments), ToolResult)


async def test_missing_arguments_are_an_error_that_says_what_to_give(case: Case) -> None:
    async with case.tool.open() as session:
        result = await session.call({})
    assert result.is_error
    assert all(name in result.text for name in case.tool.spec.parameters["required"])


async def test_a_refused_call_does_not_end_the_session(case: Case) -> None:
    async with case.tool.open() as session:
        await session.call({})
        assert not (await session.call(dict(case.arguments))).is_error


async def test_only_a_broken_tool_raises(case: Case) -> None:
    async with case.broken.open() as session:
        with pytest.raises(SandboxError, match="broken"):
            await session.call(dict(case.arguments))


async def test_chains_have_sessions_of_their_own(case: Case) -> None:
    async with case.tool.open(), case.tool.open():
        assert case.sandbox.open_sessions == 2


async def test_everything_is_released_when_the_chain_ends(case: Case) -> None:
    async with case.tool.open() as session:
        await session.call(dict(case.arguments))
    assert case.sandbox.open_sessions == 0


async def test_everything_is_released_when_the_chain_fails(case: Case) -> None:
    with pytest.raises(ValueError, match="mine"):
        async with case.tool.open():
            raise ValueError("mine")
    assert case.sandbox.open_sessions == 0


async def test_everything_is_released_when_the_chain_is_cancelled(case: Case) -> None:
    is_open = asyncio.Event()

    async def use() -> None:
        async with case.tool.open():
            is_open.set()
            await asyncio.sleep(5)

    task = asyncio.create_task(use())
    await is_open.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert case.sandbox.open_sessions == 0
