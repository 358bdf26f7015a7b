"""AoR and then atomic, and long forms, through the command line, the SDK and the service, with the real sandbox."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from abaci import Settings, SolveOptions, Solver
from abaci.aggregation.config import AorConfig, AtomicConfig
from abaci.api.app import create_app
from abaci.api.server import Address, running
from abaci.backend.config import ScriptedConfig
from abaci.cli import cli
from abaci.client import AsyncClient
from abaci.traces.config import SqliteTraceConfig
from abaci.types import Budget, DecisionMade, Deliberating, JudgeCalled, Problem, RunStatus, Solution, TraceEvent

SHARED = "There are 6 rows of 7 apples each."
CHAINS = (
    f"{SHARED} So there are 42 apples. The answer is $\\boxed{{42}}$.",
    f"{SHARED} Hence we find 42 apples. The answer is $\\boxed{{42}}$.",
    "There is 1 row of 42 apples. We add 1. The answer is $\\boxed{43}$.",
)
# One reply serves every call: of points each takes those that it asked for, and the merge takes the box.
JUDGE = 'Six times seven. {"scores": {"1": 9, "2": 7, "3": 3}} So there are $\\boxed{42}$ apples.'
REPLIES = (JUDGE,)
OPTIONS = SolveOptions(aggregator=AtomicConfig(answer=AorConfig(first_samples=3)), budget=Budget(samples=3))

PRIMES = "There are infinitely many primes."
REMARKS = tuple(f"{PRIMES} {remark}" for remark in ("Euclid knew that.", "They thin out.", "Two is even."))
LONG = Problem(question="How do primes behave?", kind="long_form")
LONG_OPTIONS = SolveOptions(aggregator=AtomicConfig(), budget=Budget(samples=3))


def settings(folder: Path, chains: tuple[str, ...], judge: str) -> Settings:
    return Settings(
        backend=ScriptedConfig(replies=chains),
        judge=ScriptedConfig(replies=(judge,), is_chat=True),
        traces=SqliteTraceConfig(path=folder / "traces.db"),
        max_chains=3,
    )


@asynccontextmanager
async def served(chosen: Settings) -> AsyncIterator[AsyncClient]:
    async with (
        Solver(chosen) as solver,
        running(create_app(solver, solver.services.traces), Address(port=0)) as url,
        AsyncClient(url) as client,
    ):
        yield client


def on_command_line(
    monkeypatch: pytest.MonkeyPatch, folder: Path, chains: tuple[str, ...], judge: str, *arguments: str
) -> str:
    for name, value in {
        "CONFIG": os.devnull,
        "TRACES__KIND": "sqlite",
        "TRACES__PATH": str(folder / "traces.db"),
        "BACKEND__KIND": "scripted",
        "BACKEND__REPLIES": json.dumps(chains),
        "JUDGE__KIND": "scripted",
        "JUDGE__IS_CHAT": "true",
        "JUDGE__REPLIES": json.dumps([judge]),
    }.items():
        monkeypatch.setenv(f"ABACI_{name}", value)
    done = CliRunner().invoke(cli, ["solve", "--samples", "3", *arguments])
    assert done.exit_code == 0, done.stderr
    return done.stdout


def check(solution: Solution) -> None:
    """The best answer by its points, explained by what its chains share, as merged by the judge."""
    assert (solution.status, solution.answer) == (RunStatus.SOLVED, "42")
    assert solution.explanation == JUDGE
    assert solution.buckets[0].score is not None
    assert solution.judge_usage.requests >= 4
    assert solution.usage.requests == 3
    assert solution.warnings == ()


def check_events(events: list[TraceEvent]) -> None:
    """Every judge call is a step of its own, in the phase that it belongs to."""
    bodies = [event.body for event in events]
    assert [body.phase for body in bodies if isinstance(body, Deliberating)] == ["score_locally", "evaluate_globally"]
    tasks = [body.task for body in bodies if isinstance(body, JudgeCalled)]
    assert (tasks[0], tasks[-2], tasks[-1]) == ("local scoring", "global evaluation", "merge")
    assert sum(isinstance(body, DecisionMade) for body in bodies) == 1


async def test_aor_then_atomic_through_the_sdk(tmp_path: Path) -> None:
    async with Solver(settings(tmp_path, CHAINS, JUDGE)) as solver:
        solution = await solver.solve("How many apples?", OPTIONS)
        check(solution)
        check_events([event async for event in solver.services.traces.read(solution.run_id)])


async def test_aor_then_atomic_through_the_service(tmp_path: Path) -> None:
    async with served(settings(tmp_path, CHAINS, JUDGE)) as client:
        async with client.stream("How many apples?", OPTIONS) as stream:
            events = [event async for event in stream]
        assert stream.solution is not None
        check(stream.solution)
        check_events([event for event in events if event.is_stored])
        assert await client.resume(stream.solution.run_id) == stream.solution


def test_aor_then_atomic_on_the_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chosen = ("--aggregator", "atomic", "--set", "answer.kind=aor", "--set", "answer.first_samples=3", "--json")
    check(Solution.model_validate_json(on_command_line(monkeypatch, tmp_path, CHAINS, JUDGE, "Apples?", *chosen)))


async def test_a_long_form_through_the_sdk_and_the_service(tmp_path: Path) -> None:
    async with Solver(settings(tmp_path, REMARKS, "Primes never end.")) as solver:
        solution = await solver.solve(LONG, LONG_OPTIONS)
    async with served(settings(tmp_path, REMARKS, "Primes never end.")) as client:
        remote = await client.solve(LONG, LONG_OPTIONS)
    for found in (solution, remote):
        assert (found.status, found.answer, found.explanation) == (RunStatus.SOLVED, "Primes never end.", found.answer)
        assert (found.judge_usage.requests, found.usage.requests) == (1, 3)


def test_a_long_form_on_the_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = on_command_line(monkeypatch, tmp_path, REMARKS, "Primes never\nend.", "--long-form", "How do primes behave?")
    assert said.startswith("Primes never\nend.\n\nrun_")
