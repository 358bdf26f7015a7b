"""Buckets: chains grouped by mathematically equal answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from abaci.types import Answer, Bucket, Trajectory


class AnswerEquality(Protocol):
    """Decides whether two answers are mathematically equal, for instance `Grader.are_equal`."""

    async def __call__(self, first: str, second: str) -> bool:
        """True when both canonical answers denote the same value."""
        ...


async def equal_text(first: str, second: str) -> bool:
    """Equality of canonical texts: the `AnswerEquality` that needs no grader."""
    return first == second


def count_one(_: Trajectory) -> float:
    """One chain, one vote."""
    return 1.0


async def bucket_trajectories(
    trajectories: Sequence[Trajectory],
    equal: AnswerEquality,
    weigh: Callable[[Trajectory], float] = count_one,
) -> tuple[Bucket, ...]:
    """The buckets of all answered chains, heaviest first; ties go to the bucket that holds the earliest chain.

    The result does not depend on the order of `trajectories`: the distinct answers are compared in order of their text,
    each with the first answer of every bucket so far, since equality as a grader judges it need not be transitive.
    `Bucket.share` is the bucket's weight over the weight of all answered chains. Chains without an answer have no vote.

    Args:
        trajectories: chains, in any order.
        equal: compares two canonical answers; called once per pair of distinct texts at most.
        weigh: the weight of a chain's vote, not negative.
    """
    groups = await _group_equal(_by_canonical(trajectories), equal)
    total = math.fsum(weigh(member) for group in groups for member in group)
    buckets = [_make_bucket(sorted(group, key=lambda t: t.chain), weigh, total) for group in groups]
    return tuple(sorted(buckets, key=lambda bucket: (-bucket.share, bucket.chains[0])))


def _by_canonical(trajectories: Sequence[Trajectory]) -> Mapping[str, list[Trajectory]]:
    by_text: dict[str, list[Trajectory]] = {}
    for trajectory in sorted(trajectories, key=lambda trajectory: trajectory.chain):
        if trajectory.answer is not None:
            by_text.setdefault(trajectory.answer.canonical, []).append(trajectory)
    return by_text


async def _group_equal(by_text: Mapping[str, list[Trajectory]], equal: AnswerEquality) -> list[list[Trajectory]]:
    groups: dict[str, list[Trajectory]] = {}
    for text in sorted(by_text):
        for name, members in groups.items():
            if await equal(name, text):
                members.extend(by_text[text])
                break
        else:
            groups[text] = list(by_text[text])
    return list(groups.values())


def _make_bucket(members: list[Trajectory], weigh: Callable[[Trajectory], float], total: float) -> Bucket:
    name = members[0].answer or Answer(raw="", canonical="")
    weight = math.fsum(weigh(member) for member in members)
    share = min(1.0, weight / total) if total > 0 else 0.0
    return Bucket(answer=name, chains=tuple(member.chain for member in members), share=share)
