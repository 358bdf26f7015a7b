"""The aggregation contract: a problem and its finished chains in, `Decided` or `SampleMore` out.

`decide` is called when a sampling round has ended. `is_settled` is called after every chain that finishes, and must be
cheap: True means that the chains still running cannot change the decision (or not enough to be worth their tokens), so
they are cancelled.

What every implementation promises: the order of the trajectories never changes a decision; chains without an answer
never count as agreement; `SampleMore` is never returned when `remaining` is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from abaci.types import Bucket, Decided, Decision, Problem, SampleMore, Trajectory, Value

__all__ = ["Aggregator", "Decided", "Decision", "Progress", "SampleMore"]


class Progress(Value):
    """Where a run stands: `finished` chains of `started`, and `remaining` that the budget still allows."""

    finished: int
    started: int
    remaining: int


class Aggregator(Protocol):
    """Merges chains into one answer."""

    @property
    def first_samples(self) -> int | None:
        """How many chains to start with; None: the whole budget."""
        ...

    def is_settled(self, buckets: Sequence[Bucket], progress: Progress) -> bool:
        """Whether the chains still running may be cancelled. `buckets` are the votes so far, largest first."""
        ...

    async def decide(self, problem: Problem, trajectories: Sequence[Trajectory], progress: Progress) -> Decision:
        """The decision over all chains so far.

        Raises:
            BackendError: a judge is unreachable and no fallback applies.
            SandboxError: answers could not be compared.
        """
        ...
