"""What a chain's vote counts, and what a weighted vote makes of it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from made_chains import chain, chains

from abaci.aggregation.base import Progress
from abaci.aggregation.buckets import bucket_trajectories, equal_text
from abaci.aggregation.config import SelfConsistencyConfig
from abaci.aggregation.self_consistency import SelfConsistency
from abaci.aggregation.weights import Weight, choose_weighing
from abaci.types import Decided, Problem, Trajectory


async def decide(members: list[Trajectory], **config: Any) -> Decided:
    progress = Progress(finished=len(members), started=len(members), remaining=0)
    return await SelfConsistency(SelfConsistencyConfig(**config)).decide(Problem(question="?"), members, progress)


@pytest.mark.parametrize(
    ("weight", "fields", "expected"),
    [
        ("one", {}, 1.0),
        ("logprob", {"mean_logprob": -0.5}, math.exp(-0.5)),
        ("tail_entropy", {"tail_entropy": 0.25}, math.exp(-0.25)),
        ("reward", {"reward": 0.0}, 0.5),
        ("reward", {"reward": 3.0}, 1 / (1 + math.exp(-3))),
        ("reward", {"reward": -1e6}, 0.0),
        ("reward", {"reward": 1e6}, 1.0),
    ],
)
def test_each_figure_has_its_weight(weight: Weight, fields: dict[str, float], expected: float) -> None:
    member = chain(0, "1", **fields)
    assert choose_weighing(weight, [member]).weigh(member) == pytest.approx(expected)


async def test_a_few_rewarded_chains_outvote_many() -> None:
    members = [chain(0, "1", reward=-3.0), chain(1, "1", reward=-3.0), chain(2, "2", reward=4.0)]
    decided = await decide(members, weight="reward")
    assert decided.answer is not None
    assert decided.answer.raw == "2"
    assert decided.confidence > 0.9
    assert "1 of 3 answered chains agree, with 91% of the weight" in decided.reason


async def test_a_chain_without_the_figure_weighs_what_the_others_do_on_average() -> None:
    members = [chain(0, "1", reward=0.0), chain(1, "2"), chain(2, None, reward=9.0)]
    decided = await decide(members, weight="reward")
    assert [bucket.share for bucket in decided.buckets] == [0.5, 0.5]


async def test_without_any_figure_each_vote_counts_one_and_a_warning_says_so() -> None:
    decided = await decide(chains("1", "2", "2"), weight="tail_entropy")
    assert decided.answer is not None
    assert decided.answer.raw == "2"
    assert decided.warnings == ("no chain has a tail entropy: every vote counts one",)


@pytest.mark.parametrize("fields", [{"reward": -1e6}, {"mean_logprob": -1e6}, {"tail_entropy": 1e6}])
async def test_where_all_chains_look_hopeless_the_majority_wins(fields: dict[str, float]) -> None:
    weight = {"reward": "reward", "mean_logprob": "logprob", "tail_entropy": "tail_entropy"}[next(iter(fields))]
    members = [chain(0, "2", **fields), chain(1, "1", **fields), chain(2, "1", **fields)]
    decided = await decide(members, weight=weight)
    assert decided.answer is not None
    assert decided.answer.raw == "1"
    assert decided.confidence == pytest.approx(2 / 3)


async def test_equal_weights_are_a_tie_that_the_earliest_chain_breaks() -> None:
    decided = await decide([chain(0, "2", reward=1.0), chain(1, "1", reward=1.0)], weight="reward")
    assert decided.answer is not None
    assert decided.answer.raw == "2"
    assert "tie broken" in decided.reason


async def test_the_required_share_is_one_of_the_weight() -> None:
    members = [chain(0, "1", reward=2.0), chain(1, "2", reward=0.0), chain(2, "3", reward=0.0)]
    assert (await decide(members, weight="reward", min_share=0.45)).answer is not None
    assert (await decide(members, weight="reward", min_share=0.5)).answer is None


async def test_a_weighted_vote_is_open_as_long_as_chains_run() -> None:
    buckets = await bucket_trajectories(chains("1", "1", "1"), equal_text)
    weighted = SelfConsistency(SelfConsistencyConfig(weight="reward"))
    assert not weighted.is_settled(buckets, Progress(finished=3, started=4, remaining=0))
