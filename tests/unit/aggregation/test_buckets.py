"""Chains grouped by equal answers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abaci.aggregation.buckets import bucket_trajectories, equal_text
from abaci.types import Answer, StopReason, Trajectory

# Examples are judged by what they show, not by how long a busy machine takes.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def chains(*answers: str | None) -> list[Trajectory]:
    return [
        Trajectory(
            chain=chain,
            answer=None if text is None else Answer(raw=f"${text}$", canonical=text),
            stop_reason=StopReason.ANSWER,
        )
        for chain, text in enumerate(answers)
    ]


async def same_number(first: str, second: str) -> bool:
    return float(first) == float(second)


async def near(first: str, second: str) -> bool:
    """An equality that is not transitive, as a grader's may be."""
    return abs(int(first) - int(second)) <= 1


async def test_equal_answers_share_a_bucket() -> None:
    buckets = await bucket_trajectories(chains("1", "2", "1"), equal_text)
    assert [(bucket.answer.canonical, bucket.chains) for bucket in buckets] == [("1", (0, 2)), ("2", (1,))]
    assert [bucket.share for bucket in buckets] == [pytest.approx(2 / 3), pytest.approx(1 / 3)]


async def test_mathematically_equal_answers_share_a_bucket() -> None:
    buckets = await bucket_trajectories(chains("0.50", "2", "0.5", "5e-1"), same_number)
    assert [bucket.chains for bucket in buckets] == [(0, 2, 3), (1,)]


async def test_a_bucket_is_named_as_its_first_chain_wrote_it() -> None:
    buckets = await bucket_trajectories(chains("0.50", "0.5"), same_number)
    assert buckets[0].answer == Answer(raw="$0.50$", canonical="0.50")


async def test_chains_without_an_answer_have_no_vote() -> None:
    buckets = await bucket_trajectories(chains(None, "1", None), equal_text)
    assert [(bucket.chains, bucket.share) for bucket in buckets] == [((1,), 1.0)]


async def test_no_answers_make_no_buckets() -> None:
    assert await bucket_trajectories(chains(None, None), equal_text) == ()
    assert await bucket_trajectories([], equal_text) == ()


async def test_ties_go_to_the_bucket_of_the_earliest_chain() -> None:
    buckets = await bucket_trajectories(chains("9", "1", "1", "9"), equal_text)
    assert [bucket.answer.canonical for bucket in buckets] == ["9", "1"]


async def test_heavier_chains_count_for_more() -> None:
    weights = {0: 1.0, 1: 1.0, 2: 5.0}
    buckets = await bucket_trajectories(chains("1", "1", "2"), equal_text, lambda chain: weights[chain.chain])
    assert buckets[0].answer.canonical == "2"
    assert buckets[0].share == pytest.approx(5 / 7)


async def test_weights_of_nothing_give_shares_of_nothing() -> None:
    buckets = await bucket_trajectories(chains("1", "2"), equal_text, lambda chain: 0.0)
    assert [bucket.share for bucket in buckets] == [0.0, 0.0]


async def test_no_pair_of_texts_is_compared_twice() -> None:
    asked: list[tuple[str, str]] = []

    async def counted(first: str, second: str) -> bool:
        asked.append((first, second))
        return False

    await bucket_trajectories(chains(*"abcabcabc"), counted)
    assert len(asked) == len(set(asked)) == 3


VOTES = st.lists(st.one_of(st.none(), st.integers(0, 6).map(str)), max_size=9)


@given(VOTES, st.randoms(use_true_random=False))
@patient
async def test_the_order_of_chains_never_matters_not_even_for_a_crooked_equality(
    votes: Sequence[str | None], random: object
) -> None:
    ordered = chains(*votes)
    shuffled = sorted(ordered, key=lambda _: random.random())  # type: ignore[attr-defined]
    weigh = lambda chain: 0.1 * (chain.chain + 1)  # noqa: E731
    assert await bucket_trajectories(ordered, near, weigh) == await bucket_trajectories(shuffled, near, weigh)


@given(VOTES)
@patient
async def test_every_answered_chain_is_in_exactly_one_bucket(votes: Sequence[str | None]) -> None:
    buckets = await bucket_trajectories(chains(*votes), near)
    voted = sorted(chain for bucket in buckets for chain in bucket.chains)
    assert voted == [index for index, vote in enumerate(votes) if vote is not None]
    assert not buckets or sum(bucket.share for bucket in buckets) == pytest.approx(1.0)
