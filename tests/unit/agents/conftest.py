"""What the tests of the agent layer share: one chain, wired to the shipped doubles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from abaci.agents.chain import ChainRunner
from abaci.agents.recorder import RunRecorder
from abaci.agents.scope import RunScope
from abaci.agents.styles import load_style
from abaci.agents.tora import build_tora
from abaci.backend.base import ChatPrompt, TextPrompt
from abaci.backend.scripted import Script, ScriptedBackend, ScriptedReply
from abaci.sandbox.scripted import Reply, ScriptedSandbox
from abaci.tools.config import PythonToolConfig
from abaci.tools.python import PythonTool
from abaci.types import Budget, Execution, Problem, Sampling, TraceEvent, Trajectory, new_run_id

QUESTION = "What is $6 \\times 7$?"


@dataclass
class Rig:
    """One run's chains, and everything they touch."""

    runner: ChainRunner
    backend: ScriptedBackend
    sandbox: ScriptedSandbox
    events: list[TraceEvent]

    async def run(self, chain: int = 0, question: str = QUESTION) -> Trajectory:
        return await self.runner.run(chain, Problem(question=question))

    @property
    def prompts(self) -> list[TextPrompt]:
        return [request.prompt for request in self.backend.requests if isinstance(request.prompt, TextPrompt)]

    @property
    def chats(self) -> list[ChatPrompt]:
        return [request.prompt for request in self.backend.requests if isinstance(request.prompt, ChatPrompt)]


def make_rig(
    replies: Sequence[str | ScriptedReply] | Script,
    executions: Reply = lambda code: Execution(status="ok", stdout="42\n"),
    *,
    style: str = "tora",
    budget: Budget | None = None,
    sampling: Sampling | None = None,
    sandbox: ScriptedSandbox | None = None,
    slots: int = 8,
    is_logprobs_wanted: bool = False,
    **backend_options: Any,
) -> Rig:
    backend = ScriptedBackend(replies, is_chat=style == "tool_call", **backend_options)
    sandbox = sandbox or ScriptedSandbox(executions)
    events: list[TraceEvent] = []
    runner = ChainRunner(
        graph=build_tora(),
        backend=backend,
        python=PythonTool(sandbox, PythonToolConfig()),
        style=load_style(style),
        sampling=sampling or Sampling(),
        scope=RunScope(budget or Budget(samples=1)),
        recorder=RunRecorder(new_run_id(), events.append),
        slots=asyncio.Semaphore(slots),
        is_logprobs_wanted=is_logprobs_wanted,
    )
    return Rig(runner, backend, sandbox, events)


@pytest.fixture
def rig() -> Callable[..., Rig]:
    """Makes a `Rig`; to be called within the event loop."""
    return make_rig


@pytest.fixture(autouse=True)
async def nothing_left_behind() -> AsyncIterator[None]:
    """No test may leave a task running."""
    before = asyncio.all_tasks()
    yield
    left = {task for task in asyncio.all_tasks() - before if not task.done() and task is not asyncio.current_task()}
    assert not left
