"""The majority vote: who wins, when it abstains, and what it says about it."""

from __future__ import annotations

from typing import Any

import pytest

from abaci.aggregation.base import Progress
from abaci.aggregation.buckets import bucket_trajectories, equal_text
from abaci.aggregation.config import SelfConsistencyConfig
from abaci.aggregation.self_consistency import SelfConsistency
from abaci.types import Answer, Decided, Problem, StopReason, Trajectory

PROBLEM = Problem(question="What?")


def chains(*answers: str | None) -> list[Trajectory]:
    made = [None if text is None else Answer(raw=text, canonical=text) for text in answers]
    return [Trajectory(chain=i, answer=answer, stop_reason=StopReason.ANSWER) for i, answer in enumerate(made)]


async def decide(*answers: str | None, **config: Any) -> Decided:
    progress = Progress(finished=len(answers), started=len(answers), remaining=0)
    return await SelfConsistency(SelfConsistencyConfig(**config)).decide(PROBLEM, chains(*answers), progress)


async def settled(*answers: str | None, running: int, **config: Any) -> bool:
    buckets = await bucket_trajectories(chains(*answers), equal_text)
    progress = Progress(finished=len(answers), started=len(answers) + running, remaining=0)
    return SelfConsistency(SelfConsistencyConfig(**config)).is_settled(buckets, progress)


async def test_the_majority_wins_with_its_share_as_confidence() -> None:
    decided = await decide("1", "2", "2", None)
    assert decided.answer == Answer(raw="2", canonical="2")
    assert decided.confidence == pytest.approx(2 / 3)
    assert decided.reason == "2 of 3 answered chains agree"


async def test_a_tie_goes_to_the_earliest_chain_and_says_so() -> None:
    decided = await decide("2", "1", "1", "2")
    assert decided.answer == Answer(raw="2", canonical="2")
    assert "tie broken in favour of the earliest chain" in decided.reason


async def test_without_any_answer_it_abstains() -> None:
    decided = await decide(None, None)
    assert (decided.answer, decided.confidence, decided.buckets) == (None, 0.0, ())
    assert decided.reason == "none of 2 chains gave an answer"


async def test_below_the_required_share_it_abstains_and_shows_the_votes() -> None:
    decided = await decide("1", "1", "2", "3", min_share=0.6)
    assert decided.answer is None
    assert decided.buckets[0].chains == (0, 1)
    assert "below the required share of 60%" in decided.reason


async def test_exactly_the_required_share_is_enough() -> None:
    assert (await decide("1", "1", "2", "3", min_share=0.5)).answer is not None


async def test_chains_without_an_answer_do_not_lower_the_share() -> None:
    assert (await decide("1", None, None, None, min_share=1.0)).confidence == 1.0


async def test_a_vote_is_settled_when_nobody_can_catch_up() -> None:
    assert await settled("1", "1", "1", running=2)


@pytest.mark.parametrize(
    ("answers", "running"),
    [
        (("1", "1", "1"), 3),  # the rest could tie, and an earlier chain may be among them
        (("1", "1", "2"), 1),
        (("1", "2"), 5),
        ((None, None, None), 1),
        ((), 4),
    ],
)
async def test_a_vote_that_the_rest_could_change_is_open(answers: tuple[str | None, ...], running: int) -> None:
    assert not await settled(*answers, running=running)


async def test_a_vote_with_nobody_running_has_nothing_to_cancel() -> None:
    assert not await settled("1", "1", running=0)


async def test_a_vote_whose_share_the_rest_could_sink_is_open() -> None:
    assert await settled("1", "1", "1", running=1, min_share=0.75)
    assert not await settled("1", "1", "1", running=2, min_share=0.75)
