"""Adaptive sampling: how many chains are drawn, and that all of them count."""

from __future__ import annotations

from typing import Any

import pytest
from made_chains import chain, chains

from abaci.aggregation.adaptive import Adaptive
from abaci.aggregation.base import Progress
from abaci.aggregation.buckets import bucket_trajectories, equal_text
from abaci.aggregation.config import AdaptiveConfig, SelfConsistencyConfig, SupermajorityRule, WindowRule
from abaci.aggregation.self_consistency import SelfConsistency
from abaci.types import Decided, Decision, Deliberating, Problem, SampleMore, StopReason, Trajectory


def make(**config: Any) -> Adaptive:
    return Adaptive(AdaptiveConfig(**config), SelfConsistency(SelfConsistencyConfig()))


async def decide(aggregator: Adaptive, members: list[Trajectory], remaining: int) -> Decision | Deliberating:
    progress = Progress(finished=len(members), started=len(members), remaining=remaining)
    return await aggregator.decide(Problem(question="?"), members, progress)


async def drawn(aggregator: Adaptive, *answers: str | None) -> tuple[Decided, int]:
    """The decision over chains that come in this order, and how many of them it took."""
    used = aggregator.first_samples or len(answers)
    while True:
        decision = await decide(aggregator, chains(*answers[:used]), len(answers) - used)
        if isinstance(decision, Decided):
            return decision, used
        assert isinstance(decision, SampleMore)
        used += decision.samples


@pytest.mark.parametrize(
    ("answers", "used"),
    [("1111222222222", 4), ("1112111222222", 7), ("1212121212121", 13), ("1111", 4)],
)
async def test_sampling_stops_with_the_first_clear_lead(answers: str, used: int) -> None:
    decision, count = await drawn(make(), *answers)
    assert count == used
    assert decision.answer is not None
    assert decision.answer.raw == "1"
    assert f"stopped at {used}" in decision.reason


async def test_it_stops_when_the_rest_of_the_budget_cannot_change_the_vote() -> None:
    decision, used = await drawn(make(), *"11121122")
    assert used == 6
    assert "could not change the vote" in decision.reason


async def test_every_chain_drawn_counts_not_only_the_unanimous_window() -> None:
    decision, used = await drawn(make(rule=WindowRule(size=2)), *"121233", *"4" * 20)
    assert used == 6
    assert [len(bucket.chains) for bucket in decision.buckets] == [2, 2, 2]
    assert decision.answer is not None
    assert decision.answer.raw == "1"


async def test_it_asks_for_no_more_than_remains() -> None:
    decision = await decide(make(rule=SupermajorityRule()), chains(*"1212"), remaining=3)
    assert isinstance(decision, SampleMore)
    assert decision.samples == 3


async def test_running_chains_are_cancelled_once_the_rule_is_content() -> None:
    buckets = await bucket_trajectories(chains(*"1111"), equal_text)
    assert make().is_settled(buckets, Progress(finished=4, started=8, remaining=20))
    assert not make().is_settled(buckets[:0], Progress(finished=4, started=8, remaining=20))
    # Half of the chains started are no supermajority yet.
    eager = make(rule=SupermajorityRule(share=0.75))
    assert not eager.is_settled(buckets, Progress(finished=4, started=8, remaining=20))
    assert eager.is_settled(buckets, Progress(finished=4, started=5, remaining=20))


async def test_cancelled_chains_are_neither_for_nor_against() -> None:
    cancelled = [chain(index, None, stop_reason=StopReason.CANCELLED) for index in (2, 3)]
    decision = await decide(make(rule=SupermajorityRule()), [*chains(*"11"), *cancelled], remaining=4)
    assert isinstance(decision, Decided)


async def test_a_wrapped_aggregator_that_wants_more_is_not_asked_about_the_budget() -> None:
    class Curious(SelfConsistency):
        async def decide(self, problem: Any, trajectories: Any, progress: Progress) -> Any:
            assert progress.remaining == 0
            return await super().decide(problem, trajectories, progress)

    wrapped = Adaptive(AdaptiveConfig(), Curious(SelfConsistencyConfig()))
    assert isinstance(await decide(wrapped, chains(*"1111"), remaining=30), Decided)


async def test_a_decision_that_is_under_way_is_not_thrown_away_for_more_chains() -> None:
    class Deliberate(SelfConsistency):
        """Takes two phases."""

        async def decide(self, problem: Any, trajectories: Any, progress: Progress) -> Any:
            if not progress.notes:
                return Deliberating(phase="score_locally", notes={"phase": "score_locally"})
            return await super().decide(problem, trajectories, progress)

    wrapped = Adaptive(AdaptiveConfig(), Deliberate(SelfConsistencyConfig()))
    first = await decide(wrapped, chains(*"12"), remaining=0)
    assert isinstance(first, Deliberating)
    # The run broke off there, and goes on with a clock that begins anew: there is time for more chains again.
    progress = Progress(finished=2, started=2, remaining=6, notes=first.notes)
    decision = await wrapped.decide(Problem(question="?"), chains(*"12"), progress)
    assert isinstance(decision, Decided)
    assert decision.reason.endswith("stopped at 2: the decision was under way")
