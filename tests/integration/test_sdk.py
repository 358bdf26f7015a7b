"""The SDK as its users see it: the composed `Solver`, with the real sandbox and grader, and a scripted model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from abaci import InvalidInput, Settings, SolveOptions, Solver, fold_solution
from abaci.backend.config import ScriptedConfig
from abaci.errors import SettingsError
from abaci.traces.config import RedisTraceConfig, SqliteTraceConfig
from abaci.types import Budget, ExecutionStatus, Output, RunStatus

HALF = "I compute.\n```python\nfrom sympy import Rational\nRational(1, 4) * 2\n```\n```output"
ONE_CHAIN = SolveOptions(budget=Budget(samples=1))


def settings(tmp_path: Path, *replies: str) -> Settings:
    return Settings(
        backend=ScriptedConfig(replies=replies), traces=SqliteTraceConfig(path=tmp_path / "traces.db"), max_chains=4
    )


async def test_a_problem_is_solved_by_a_program_in_the_sandbox(tmp_path: Path) -> None:
    async with Solver(settings(tmp_path, HALF, "The answer is $\\boxed{0.5}$.")) as solver:
        solution = await solver.solve("Twice a quarter?", ONE_CHAIN)
    assert (solution.status, solution.answer, solution.confidence) == (RunStatus.SOLVED, "0.5", 1.0)
    outputs = [step for step in solution.trajectories[0].steps if isinstance(step, Output)]
    assert [(step.text, step.execution.status) for step in outputs] == [("1/2", ExecutionStatus.OK)]
    assert "from sympy import Rational" in solution.explanation


async def test_answers_that_are_equal_only_by_algebra_are_one_vote(tmp_path: Path) -> None:
    replies = ("So $\\boxed{(x+1)^2}$.", "So $\\boxed{x^2+2x+1}$.", "So $\\boxed{x^2}$.")
    async with Solver(settings(tmp_path, *replies)) as solver:
        solution = await solver.solve("Expand.", SolveOptions(budget=Budget(samples=3)))
    assert solution.buckets[0].answer.raw in {"(x+1)^2", "x^2+2x+1"}
    assert len(solution.buckets[0].chains) == 2


async def test_a_streamed_run_is_stored_and_folds_to_the_same_solution(tmp_path: Path) -> None:
    async with Solver(settings(tmp_path, "So $\\boxed{4}$.")) as solver:
        events = [event async for event in solver.stream("2 + 2?", ONE_CHAIN)]
        stored = [event async for event in solver.services.traces.read(events[0].run_id)]
    assert events[-1].body.kind == "run_finished"
    assert fold_solution(stored) == fold_solution(events)


async def test_a_store_that_is_down_at_the_start_costs_a_warning_and_is_used_once_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "traces.db").mkdir()
    async with Solver(settings(tmp_path, "So $\\boxed{4}$.")) as solver:
        early = await solver.solve("2 + 2?", ONE_CHAIN)
        (tmp_path / "traces.db").rmdir()
        late = await solver.solve("2 + 2?", ONE_CHAIN)
        stored = [event async for event in solver.services.traces.read(late.run_id)]
    assert (early.answer, late.answer) == ("4", "4")
    assert len(early.warnings) == 1
    assert "traces.db cannot be opened" in early.warnings[0]
    assert fold_solution(stored) == late
    assert late.warnings == ()


async def test_a_store_whose_package_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "abaci.traces.redis", raising=False)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(SettingsError, match=r'pip install "abaci\[redis\]"'):
        async with Solver(Settings(backend=ScriptedConfig(replies=("x",)), traces=RedisTraceConfig())):
            pass


def test_without_an_event_loop_the_solver_works_within_with(tmp_path: Path) -> None:
    with Solver(settings(tmp_path, "So $\\boxed{4}$.")) as solver:
        first, second = solver.solve_sync("2 + 2?", ONE_CHAIN), solver.solve_sync("2 + 2?", ONE_CHAIN)
    assert (first.answer, second.answer) == ("4", "4")
    assert first.run_id != second.run_id


def test_a_run_is_resumed_without_an_event_loop(tmp_path: Path) -> None:
    with Solver(settings(tmp_path, "So $\\boxed{4}$.")) as solver:
        solution = solver.solve_sync("2 + 2?", ONE_CHAIN)
        assert solver.resume_sync(solution.run_id) == solution
    with pytest.raises(InvalidInput, match="resume_sync works within"):
        solver.resume_sync(solution.run_id)


def test_solving_outside_with_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="with Solver"):
        Solver(settings(tmp_path, "x")).solve_sync("2 + 2?")


def test_importing_abaci_loads_nothing_heavy() -> None:
    heavy = ("pydantic", "torch", "vllm", "langgraph", "openai", "fastapi", "redis", "docker", "numpy", "sympy")
    program = f"import abaci, sys; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "[]"
