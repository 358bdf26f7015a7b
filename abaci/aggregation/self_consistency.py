"""Self-consistency: the answer that most chains agree on (Wang et al. 2023, arXiv 2203.11171)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from abaci.aggregation.base import Progress
from abaci.aggregation.buckets import AnswerEquality, bucket_trajectories, equal_text
from abaci.aggregation.config import SelfConsistencyConfig
from abaci.aggregation.explain import pick_representative, write_out
from abaci.aggregation.weights import choose_weighing
from abaci.types import Bucket, Decided, Problem, Trajectory


class SelfConsistency:
    """Majority vote over mathematically equal answers, each vote counting one or its chain's weight.

    Ties go to the answer that the earliest chain gave. It abstains when no chain has an answer, or when the winner's
    share is below `min_share`. The chains still running are cancelled once they cannot change the winner any more;
    weighted votes wait for all of them.
    """

    def __init__(self, config: SelfConsistencyConfig, equal: AnswerEquality = equal_text) -> None:
        self._config = config
        self._equal = equal

    @property
    def first_samples(self) -> int | None:
        """The whole budget at once."""
        return None

    def is_settled(self, buckets: Sequence[Bucket], progress: Progress) -> bool:
        """True once the running chains, voting alike, could neither overtake, nor tie, nor sink the share."""
        running = progress.started - progress.finished
        if not buckets or running == 0 or self._config.weight != "one":
            return False
        leader = len(buckets[0].chains)
        second = len(buckets[1].chains) if len(buckets) > 1 else 0
        answered = sum(len(bucket.chains) for bucket in buckets)
        is_share_safe = Fraction(leader, answered + running) >= Fraction(self._config.min_share)
        return leader > second + running and is_share_safe

    async def decide(self, problem: Problem, trajectories: Sequence[Trajectory], progress: Progress) -> Decided:
        """The majority's answer, explained by one of its chains."""
        weighing = choose_weighing(self._config.weight, trajectories)
        buckets = await bucket_trajectories(trajectories, self._equal, weighing.weigh)
        decided = decide_by_vote(buckets, trajectories, self._config.min_share)
        if weighing.warning is None:
            return decided
        return decided.model_copy(update={"warnings": (weighing.warning,)})


def decide_by_vote(buckets: Sequence[Bucket], trajectories: Sequence[Trajectory], min_share: float = 0.0) -> Decided:
    """The first of `buckets` (heaviest first) as the decision; no answer without a bucket, or below `min_share`."""
    if not buckets:
        return Decided(answer=None, reason=f"none of {len(trajectories)} chains gave an answer")
    winner = buckets[0]
    answered = sum(len(bucket.chains) for bucket in buckets)
    tally = f"{len(winner.chains)} of {answered} answered chains agree"
    is_weighted = any(bucket.share != len(bucket.chains) / answered for bucket in buckets)
    if is_weighted:
        tally += f", with {winner.share:.0%} of the weight"
    if winner.share < min_share:
        reason = f"{tally}, below the required share of {min_share:.0%}"
        return Decided(answer=None, confidence=winner.share, buckets=tuple(buckets), reason=reason)
    is_tie = len(buckets) > 1 and buckets[1].share == winner.share
    return Decided(
        answer=winner.answer,
        explanation=write_out(pick_representative(winner, trajectories)),
        confidence=winner.share,
        buckets=tuple(buckets),
        reason=f"{tally}; tie broken in favour of the earliest chain" if is_tie else tally,
    )
