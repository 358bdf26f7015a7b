"""When the chains drawn so far are enough."""

from __future__ import annotations

import pytest
from made_chains import chains
from scipy.special import betainc

from abaci.aggregation.buckets import bucket_trajectories, equal_text
from abaci.aggregation.config import BetaRule, StoppingRule, SupermajorityRule, WindowRule
from abaci.aggregation.stopping import first_batch, leader_probability, next_batch, why_enough


async def is_enough(rule: StoppingRule, *answers: str | None) -> bool:
    buckets = await bucket_trajectories(chains(*answers), equal_text)
    return why_enough(rule, buckets, len(answers)) is not None


@pytest.mark.parametrize(("leader", "second", "known"), [(4, 0, 0.969), (4, 1, 0.891), (6, 1, 0.965), (8, 2, 0.967)])
def test_the_probability_of_the_leader_is_the_published_one(leader: int, second: int, known: float) -> None:
    assert leader_probability(leader, second) == pytest.approx(known, abs=5e-4)


def test_the_probability_is_the_incomplete_beta_function() -> None:
    for leader in range(30):
        for second in range(30):
            assert leader_probability(leader, second) == pytest.approx(1 - betainc(leader + 1, second + 1, 0.5))


async def test_four_equal_answers_are_the_fewest_that_are_enough() -> None:
    rule = BetaRule()
    assert first_batch(rule) == 4
    assert await is_enough(rule, *"1111")
    assert not await is_enough(rule, *"111")
    assert not await is_enough(rule, *"11112")
    assert await is_enough(rule, *"1111211")


async def test_a_unanimous_window_is_enough_wherever_it_is() -> None:
    rule = WindowRule(size=3)
    assert await is_enough(rule, "1", "2", "3", "2", "2", "2")
    assert not await is_enough(rule, "1", "2", "2", "2", "1", "1")


async def test_chains_without_an_answer_are_no_agreement() -> None:
    assert not await is_enough(WindowRule(size=2), None, None, None, None)
    assert not await is_enough(WindowRule(size=2), "1", None)
    assert not await is_enough(SupermajorityRule(), "1", None)
    assert not await is_enough(BetaRule(), None, None, None, None, None)


async def test_a_supermajority_is_of_all_chains_heard() -> None:
    rule = SupermajorityRule(share=0.75)
    assert await is_enough(rule, "1", "1")
    assert not await is_enough(rule, "1", "2")
    assert await is_enough(rule, "1", "2", "1", "1")
    assert not await is_enough(rule, "1", None, "1", "2")
    # 0.56 * 25 is more than 14 in floating point.
    assert await is_enough(SupermajorityRule(share=0.56), *"1" * 14, *"2" * 11)


def test_supermajority_doubles_and_windows_follow_each_other() -> None:
    doubling = SupermajorityRule()
    started = [first_batch(doubling)]
    while started[-1] < 16:
        started.append(started[-1] + next_batch(doubling, started[-1]))
    assert started == [2, 4, 8, 16]
    assert [first_batch(WindowRule()), next_batch(WindowRule(), 5), next_batch(WindowRule(), 7)] == [5, 5, 3]
    assert next_batch(BetaRule(step=2), 4) == 2
