"""When are the chains drawn so far enough? Pure rules over the votes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import comb
from typing import assert_never

from abaci.aggregation.config import BetaRule, StoppingRule, SupermajorityRule, WindowRule
from abaci.types import Bucket


def first_batch(rule: StoppingRule) -> int:
    """Chains to start with: the fewest with which the rule can stop."""
    match rule:
        case BetaRule():
            return next(n for n in range(1, 1024) if leader_probability(n, 0) >= rule.confidence)
        case WindowRule():
            return rule.size
        case SupermajorityRule():
            return rule.first
        case _:
            assert_never(rule)


def next_batch(rule: StoppingRule, started: int) -> int:
    """Chains to draw next, after `started`."""
    match rule:
        case BetaRule():
            return rule.step
        case WindowRule():
            return rule.size - started % rule.size
        case SupermajorityRule():
            return max(1, started)
        case _:
            assert_never(rule)


def why_enough(rule: StoppingRule, buckets: Sequence[Bucket], chains: int) -> str | None:
    """Why `chains` chains with these votes are enough; None: they are not. Chains without an answer agree with none."""
    if not buckets:
        return None
    leader = len(buckets[0].chains)
    second = len(buckets[1].chains) if len(buckets) > 1 else 0
    match rule:
        case BetaRule():
            probability = leader_probability(leader, second)
            is_enough = probability >= rule.confidence
            return f"{leader} to {second} votes lead with probability {probability:.3f}" if is_enough else None
        case WindowRule():
            window = _unanimous_window(buckets, rule.size)
            return None if window is None else f"chains {window} to {window + rule.size - 1} agree"
        case SupermajorityRule():
            return f"{leader} of {chains} chains agree" if leader / chains >= rule.share else None
        case _:
            assert_never(rule)


def leader_probability(leader: int, second: int) -> float:
    """P(p > 1/2) for p ~ Beta(leader + 1, second + 1): the leader is the majority of what could be drawn."""
    # With whole numbers, the incomplete beta function at one half is a sum of binomial coefficients.
    trials = leader + second + 1
    return float(Fraction(sum(comb(trials, wins) for wins in range(leader + 1)), 2**trials))


def _unanimous_window(buckets: Sequence[Bucket], size: int) -> int | None:
    """The first chain of the first window whose chains are all in one bucket."""
    found = []
    for bucket in buckets:
        members = set(bucket.chains)
        starts = {chain - chain % size for chain in members}
        found += [start for start in starts if members.issuperset(range(start, start + size))]
    return min(found, default=None)
