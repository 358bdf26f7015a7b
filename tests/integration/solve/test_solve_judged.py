"""Aggregators that judge or adapt, through the solve graph: phases, accounts, resumption, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from judges import by_content, scores

from abaci.aggregation.config import (
    AdaptiveConfig,
    AorConfig,
    AtomicConfig,
    GenSelectConfig,
    JudgeLimits,
    SelfConsistencyConfig,
)
from abaci.backend.base import GenerateRequest
from abaci.backend.scripted import ScriptedReply
from abaci.types import (
    ChainStarted,
    DecisionMade,
    Deliberating,
    JudgeCalled,
    RunStatus,
    StopReason,
    Usage,
)

Make = Callable[..., Any]


def is_judging(request: GenerateRequest) -> bool:
    return "quoted material" in request.prompt.text


def answering(*answers: str, judge: Callable[[GenerateRequest], str] = by_content) -> Callable[[GenerateRequest], str]:
    """Chain *i* answers `answers[i]`; who judges says what `judge` says."""

    def script(request: GenerateRequest) -> str:
        if is_judging(request):
            return judge(request)
        return f"Chain {request.sampling.seed} thinks. It is $\\boxed{{{answers[request.sampling.seed or 0]}}}$."

    return script


def prefers(answer: str, points: float) -> Callable[[GenerateRequest], str]:
    return lambda request: scores(request, lambda text: points if text.endswith(f"Answer: {answer}") else 7.0)


async def test_aor_judges_in_phases_and_its_tokens_are_counted_apart(bench: Make, options: Make) -> None:
    async with bench(answering("1", "1", "2", judge=prefers("2", 9.5))) as b:
        solution = await b.solver.solve("What?", options(3, aggregator=AorConfig()))
        events = [event.body for event in await b.stored()]
    assert (solution.status, solution.answer) == (RunStatus.SOLVED, "2")
    kinds = [event.kind for event in events if event.kind in ("deliberating", "judge_called", "decision_made")]
    assert kinds == [
        "deliberating", "judge_called", "judge_called", "deliberating", "judge_called", "judge_called", "decision_made",
    ]  # fmt: skip
    calls = [event for event in events if isinstance(event, JudgeCalled)]
    assert solution.judge_usage == sum((call.usage for call in calls), start=Usage())
    assert solution.judge_usage.requests == 4
    assert solution.usage == sum((chain.usage for chain in solution.trajectories), start=Usage())
    # Every judge's prompt begins with the rules, and holds the question before anything that differs between calls.
    prompts = [request.prompt.text for request in b.backend.requests if is_judging(request)]
    assert all("Problem:\nWhat?\n" in prompt for prompt in prompts)
    assert b.is_idle


async def test_a_small_lead_draws_more_chains_up_to_the_maximum(bench: Make, options: Make) -> None:
    async with bench(answering(*"12" * 20, judge=prefers("2", 8))) as b:
        config = AorConfig(first_samples=2, step=3, max_samples=7)
        solution = await b.solver.solve("What?", options(30, aggregator=config))
    assert [chain.chain for chain in solution.trajectories] == list(range(7))
    assert solution.answer == "2"


async def test_a_maximum_below_the_first_number_of_chains_holds(bench: Make, options: Make) -> None:
    async with bench(answering(*"12" * 20, judge=prefers("2", 8))) as b:
        solution = await b.solver.solve("What?", options(30, aggregator=AorConfig(max_samples=3)))
    assert len(solution.trajectories) == 3


@pytest.mark.parametrize("wrap", [lambda aor: aor, lambda aor: AtomicConfig(answer=aor)], ids=["aor", "atomic"])
async def test_without_a_budget_of_samples_aor_draws_as_many_as_its_paper_says(
    bench: Make, options: Make, wrap
) -> None:
    async with bench(answering(*"12" * 20, judge=prefers("2", 8))) as b:
        await b.solver.solve("What?", options(None, aggregator=wrap(AorConfig())))
        events = [event.body for event in await b.stored()]
    rounds = [
        event.decision.samples
        for event in events
        if isinstance(event, DecisionMade) and event.decision.kind == "sample_more"
    ]
    first = next(event for event in events if isinstance(event, Deliberating))
    assert sum(isinstance(event, ChainStarted) for event in events[: events.index(first)]) == 20
    assert rounds == [5, 5, 5, 5]
    assert sum(isinstance(event, ChainStarted) for event in events) == 40


async def test_without_a_budget_of_samples_a_vote_takes_eight(bench: Make, options: Make) -> None:
    async with bench(answering(*"12" * 20)) as b:
        solution = await b.solver.solve("What?", options(None))
    assert len(solution.trajectories) == 8


async def test_adaptive_sampling_starts_few_chains_and_stops_early(bench: Make, options: Make) -> None:
    async with bench(answering(*"5" * 40)) as b:
        solution = await b.solver.solve("What?", options(40, aggregator=AdaptiveConfig()))
    assert (solution.answer, len(solution.trajectories)) == ("5", 4)
    assert b.is_idle


async def test_adaptive_sampling_cancels_what_still_runs_down_to_the_engine(bench: Make, options: Make) -> None:
    def script(request: GenerateRequest) -> Any:
        seed = request.sampling.seed or 0
        return ScriptedReply(f"Chain {seed}: $\\boxed{{5}}$.", latency_s=60.0 if seed >= 4 else 0.0)

    config = AdaptiveConfig.model_validate({"rule": {"kind": "supermajority", "first": 6, "share": 0.6}})
    async with bench(script) as b:
        solution = await b.solver.solve("What?", options(40, aggregator=config))
        assert b.is_idle
        assert b.backend.aborted == 2
    assert [chain.stop_reason for chain in solution.trajectories].count(StopReason.CANCELLED) == 2
    assert solution.answer == "5"


async def test_cancelling_a_run_while_it_judges_leaves_no_request_behind(bench: Make, options: Make) -> None:
    is_asked = asyncio.Event()

    def script(request: GenerateRequest) -> Any:
        if is_judging(request):
            is_asked.set()
            return ScriptedReply("Let me think.", latency_s=60.0)
        return f"It is $\\boxed{{{request.sampling.seed}}}$."

    async with bench(script) as b:
        task = asyncio.ensure_future(b.solver.solve("What?", options(3, aggregator=GenSelectConfig())))
        await is_asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert b.is_idle
        assert b.backend.aborted >= 1


async def test_a_judge_that_takes_too_long_costs_a_warning(bench: Make, options: Make) -> None:
    def script(request: GenerateRequest) -> Any:
        if is_judging(request):
            return ScriptedReply("Let me think.", latency_s=60.0)
        return f"Chain {request.sampling.seed}: $\\boxed{{{'122'[request.sampling.seed or 0]}}}$."

    config = GenSelectConfig(selections=1, judge=JudgeLimits(attempts=1, timeout_s=0.01))
    async with bench(script) as b:
        solution = await b.solver.solve("What?", options(3, aggregator=config))
        assert b.is_idle
    assert (solution.status, solution.answer) == (RunStatus.SOLVED, "2")
    assert solution.warnings == ("1 judge calls gave no choice: the votes decided there",)


async def test_weights_by_logprob_ask_the_backend_for_them(bench: Make, options: Make) -> None:
    async with bench(answering(*"112")) as b:
        config = SelfConsistencyConfig(weight="tail_entropy")
        solution = await b.solver.solve("What?", options(3, aggregator=config))
    assert all(request.is_logprobs_wanted for request in b.backend.requests)
    assert {chain.tail_entropy for chain in solution.trajectories} == {0.25}
    assert solution.warnings == ()
