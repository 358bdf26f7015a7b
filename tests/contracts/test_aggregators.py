"""The aggregation contract, over every implementation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abaci.aggregation.base import Aggregator, Progress
from abaci.aggregation.buckets import bucket_trajectories, equal_text
from abaci.aggregation.config import SelfConsistencyConfig
from abaci.aggregation.self_consistency import SelfConsistency
from abaci.types import Answer, Decided, Problem, SampleMore, StopReason, Trajectory

PROBLEM = Problem(question="What?")
VOTES = st.lists(st.one_of(st.none(), st.sampled_from("abc")), min_size=1, max_size=8)
Votes = Sequence[str | None]

MAKERS: dict[str, Callable[[], Aggregator]] = {
    "self_consistency": lambda: SelfConsistency(SelfConsistencyConfig()),
    "self_consistency, at least a half": lambda: SelfConsistency(SelfConsistencyConfig(min_share=0.5)),
    "self_consistency, unanimous": lambda: SelfConsistency(SelfConsistencyConfig(min_share=1.0)),
}

# Aggregators keep no state, so examples may share one; how long a busy machine takes for them says nothing.
per_example = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(params=MAKERS)
def aggregator(request: pytest.FixtureRequest) -> Aggregator:
    return MAKERS[request.param]()


def chains(votes: Votes) -> list[Trajectory]:
    answers = [None if vote is None else Answer(raw=vote, canonical=vote) for vote in votes]
    return [Trajectory(chain=i, answer=answer, stop_reason=StopReason.ANSWER) for i, answer in enumerate(answers)]


async def decide(
    aggregator: Aggregator, trajectories: Sequence[Trajectory], remaining: int = 0
) -> Decided | SampleMore:
    count = len(trajectories)
    return await aggregator.decide(PROBLEM, trajectories, Progress(finished=count, started=count, remaining=remaining))


@given(votes=VOTES, random=st.randoms(use_true_random=False))
@per_example
async def test_the_order_of_chains_never_changes_a_decision(aggregator: Aggregator, votes: Votes, random) -> None:
    ordered = chains(votes)
    shuffled = list(ordered)
    random.shuffle(shuffled)
    assert await decide(aggregator, ordered) == await decide(aggregator, shuffled)


@given(votes=VOTES)
@per_example
async def test_doubling_every_chain_changes_no_answer(aggregator: Aggregator, votes: Votes) -> None:
    once, twice = await decide(aggregator, chains(votes)), await decide(aggregator, chains([*votes, *votes]))
    assert (once.answer, once.confidence) == (twice.answer, twice.confidence)
    assert [bucket.answer for bucket in once.buckets] == [bucket.answer for bucket in twice.buckets]


@given(votes=VOTES)
@per_example
async def test_it_never_wants_more_than_nothing_when_nothing_remains(aggregator: Aggregator, votes: Votes) -> None:
    assert isinstance(await decide(aggregator, chains(votes)), Decided)


@given(votes=VOTES, silent=st.integers(0, 5))
@per_example
async def test_chains_without_an_answer_never_change_the_vote(
    aggregator: Aggregator, votes: Votes, silent: int
) -> None:
    plain, padded = (
        await decide(aggregator, chains(votes)),
        await decide(aggregator, chains([*votes, *[None] * silent])),
    )
    assert (plain.answer, plain.confidence, plain.buckets) == (padded.answer, padded.confidence, padded.buckets)


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_with_no_answer_at_all_it_abstains_and_says_why(aggregator: Aggregator, count: int) -> None:
    decided = await decide(aggregator, chains([None] * count))
    assert isinstance(decided, Decided)
    assert decided.answer is None
    assert decided.confidence == 0.0
    assert decided.reason


@given(votes=VOTES)
@per_example
async def test_an_answer_is_one_that_some_chain_gave_and_the_confidence_its_share(
    aggregator: Aggregator, votes: Votes
) -> None:
    decided = await decide(aggregator, chains(votes))
    if decided.answer is not None:
        winner = next(bucket for bucket in decided.buckets if bucket.answer == decided.answer)
        assert decided.confidence == winner.share
        assert decided.answer.raw in votes


@given(votes=VOTES, rest=VOTES)
@per_example
async def test_once_settled_no_remaining_chain_can_change_the_answer(
    aggregator: Aggregator, votes: Votes, rest: Votes
) -> None:
    # The chains still running may be earlier ones: they get the low indices, which win ties.
    everyone = chains([*rest, *votes])
    finished = everyone[len(rest) :]
    buckets = await bucket_trajectories(finished, equal_text)
    progress = Progress(finished=len(finished), started=len(everyone), remaining=0)
    if aggregator.is_settled(buckets, progress):
        early, late = await decide(aggregator, finished), await decide(aggregator, everyone)
        assert early.answer == late.answer


def test_nothing_is_settled_before_the_first_vote(aggregator: Aggregator) -> None:
    assert not aggregator.is_settled((), Progress(finished=0, started=8, remaining=0))


def test_it_starts_with_the_whole_budget_or_a_number_of_chains(aggregator: Aggregator) -> None:
    assert aggregator.first_samples is None or aggregator.first_samples >= 1
