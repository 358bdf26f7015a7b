"""A problem without a single answer, through the solve graph: all chains are heard, and one text comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from abaci.aggregation.config import AdaptiveConfig, AggregatorConfig, AtomicConfig, SelfConsistencyConfig
from abaci.backend.base import GenerateRequest
from abaci.backend.scripted import ScriptedReply
from abaci.types import Problem, RunStatus, StopReason

Make = Callable[..., Any]
PROBLEM = Problem(question="How do primes behave?", kind="long_form")


def script(request: GenerateRequest) -> Any:
    """Chains that box the same thing in passing, the last ones slowly; and who merges them."""
    if "quoted material" in request.prompt.text:
        return "There are infinitely many primes."
    seed = request.sampling.seed or 0
    text = f"There are infinitely many primes. Remark {seed} is mine alone. The first is $\\boxed{{2}}$."
    return ScriptedReply(text, latency_s=0.05 if seed >= 4 else 0.0)


@pytest.mark.parametrize("config", [AtomicConfig(), AdaptiveConfig(answer=AtomicConfig())])
async def test_what_chains_box_in_passing_cancels_none_of_them(
    bench: Make, options: Make, config: AggregatorConfig
) -> None:
    async with bench(script) as b:
        solution = await b.solver.solve(PROBLEM, options(6, aggregator=config))
        assert b.is_idle
    assert (solution.status, solution.answer) == (RunStatus.SOLVED, "There are infinitely many primes.")
    assert [chain.stop_reason for chain in solution.trajectories] == [StopReason.ANSWER] * 6
    assert solution.judge_usage.requests == 1


async def test_a_method_that_votes_abstains(bench: Make, options: Make) -> None:
    async with bench(script) as b:
        solution = await b.solver.solve(PROBLEM, options(3, aggregator=SelfConsistencyConfig()))
    assert (solution.status, solution.answer) == (RunStatus.ABSTAINED, None)
