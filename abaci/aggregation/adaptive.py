"""Adaptive sampling: draw no more chains than the question needs, then let another aggregator decide."""

from __future__ import annotations

from collections.abc import Sequence

from abaci.aggregation.base import Aggregator, Progress
from abaci.aggregation.buckets import AnswerEquality, bucket_trajectories, equal_text
from abaci.aggregation.config import AdaptiveConfig
from abaci.aggregation.stopping import first_batch, next_batch, why_enough
from abaci.types import Bucket, Decided, Decision, Deliberating, Problem, SampleMore, StopReason, Trajectory


class Adaptive:
    """Draws chains in batches until the rule is content or the rest of the budget could not change the decision.

    Every chain drawn counts, whichever batch it came with; the chains still running when the rule is content are
    cancelled. A rule sees votes only: the answer is the wrapped aggregator's.
    """

    def __init__(self, config: AdaptiveConfig, inner: Aggregator, equal: AnswerEquality = equal_text) -> None:
        self._rule = config.rule
        self._inner = inner
        self._equal = equal

    @property
    def first_samples(self) -> int | None:
        """The fewest chains with which the rule can stop."""
        return first_batch(self._rule)

    def is_settled(self, buckets: Sequence[Bucket], progress: Progress) -> bool:
        """True once the rule is content whatever the running chains say of its shares, or the budget is decided."""
        if progress.finished >= progress.started:
            return False
        is_enough = why_enough(self._rule, buckets, progress.started) is not None
        return is_enough or self._is_foregone(buckets, progress)

    async def decide(
        self, problem: Problem, trajectories: Sequence[Trajectory], progress: Progress
    ) -> Decision | Deliberating:
        """The wrapped aggregator's decision once there are enough chains; until then, the next batch."""
        reason = f"the budget of {progress.started} chains is used up"
        if progress.remaining > 0:
            # A cancelled chain was not heard: it is neither for nor against.
            heard = [chain for chain in trajectories if chain.answer or chain.stop_reason is not StopReason.CANCELLED]
            buckets = await bucket_trajectories(heard, self._equal)
            if enough := why_enough(self._rule, buckets, len(heard)):
                reason = enough
            elif self._is_foregone(buckets, progress):
                reason = "the rest of the budget could not change the vote"
            elif progress.notes:
                # They are the wrapped aggregator's: in a run that goes on with new time, its work is not thrown away.
                reason = "the decision was under way"
            else:
                samples = min(next_batch(self._rule, progress.started), progress.remaining)
                return SampleMore(samples=samples, buckets=buckets, reason="the votes so far are not clear enough")
        decision = await self._inner.decide(problem, trajectories, progress.model_copy(update={"remaining": 0}))
        if not isinstance(decision, Decided):
            return decision
        return decision.model_copy(update={"reason": f"{decision.reason}; stopped at {progress.started}: {reason}"})

    def _is_foregone(self, buckets: Sequence[Bucket], progress: Progress) -> bool:
        """Whether neither the running chains nor the rest of the budget could change the wrapped decision."""
        everything = Progress(finished=progress.finished, started=progress.started + progress.remaining, remaining=0)
        return self._inner.is_settled(buckets, everything)
