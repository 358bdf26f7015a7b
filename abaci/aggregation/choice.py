"""A decision for the one chain that a judge chose."""

from __future__ import annotations

from collections.abc import Sequence

from abaci.aggregation.explain import write_out
from abaci.types import Bucket, Decided, Trajectory


def decide_for(chosen: Trajectory, buckets: Sequence[Bucket], reason: str, warnings: tuple[str, ...] = ()) -> Decided:
    """The answer of `chosen`, explained by it, its bucket first; the confidence is the bucket's share of the votes."""
    winner = bucket_of(chosen, buckets)
    return Decided(
        answer=winner.answer,
        explanation=write_out(chosen),
        confidence=winner.share,
        buckets=tuple(sorted(buckets, key=lambda bucket: bucket != winner)),
        reason=reason,
        warnings=warnings,
    )


def bucket_of(chain: Trajectory, buckets: Sequence[Bucket]) -> Bucket:
    """The bucket that holds `chain`, which must have an answer."""
    return next(bucket for bucket in buckets if chain.chain in bucket.chains)
