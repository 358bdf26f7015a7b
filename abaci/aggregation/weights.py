"""What a chain's vote counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from abaci.aggregation.buckets import count_one
from abaci.types import Trajectory

Weight = Literal["one", "logprob", "tail_entropy", "reward"]


@dataclass(frozen=True, slots=True)
class Weighing:
    """The weight of each chain, from 0 to 1, and what there is to say about it."""

    weigh: Callable[[Trajectory], float]
    warning: str | None = None


def choose_weighing(weight: Weight, trajectories: Sequence[Trajectory]) -> Weighing:
    """The weighing by `weight` over `trajectories`.

    `logprob`: the geometric mean of the token probabilities. `tail_entropy`: e to the minus mean surprisal of the last
    tokens. `reward`: the logistic function of the reward. A chain that lacks the figure weighs what the answered ones
    that have it weigh on average; where none has it, each counts one.
    """
    if weight == "one":
        return Weighing(count_one)
    known = [found for found in (_figure(weight, chain) for chain in trajectories if chain.answer) if found is not None]
    if not known:
        return Weighing(count_one, f"no chain has a {weight.replace('_', ' ')}: every vote counts one")
    mean = math.fsum(known) / len(known)

    def weigh(trajectory: Trajectory) -> float:
        found = _figure(weight, trajectory)
        return mean if found is None else found

    return Weighing(weigh)


def _figure(weight: Weight, chain: Trajectory) -> float | None:
    match weight:
        case "logprob" if chain.mean_logprob is not None:
            return _exp(min(0.0, chain.mean_logprob))
        case "tail_entropy" if chain.tail_entropy is not None:
            return _exp(-max(0.0, chain.tail_entropy))
        case "reward" if chain.reward is not None:
            return _logistic(chain.reward)
        case _:
            return None


def _logistic(logit: float) -> float:
    # Both branches keep the exponent at or below zero: no logit overflows.
    grown = _exp(-abs(logit))
    return 1.0 / (1.0 + grown) if logit >= 0 else grown / (1.0 + grown)


def _exp(exponent: float) -> float:
    # Never zero: where all chains look hopeless, their number still decides.
    return math.exp(max(exponent, -700.0))
