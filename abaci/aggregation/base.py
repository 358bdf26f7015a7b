"""The aggregation contract: a problem and its finished chains in, `Decided` or `SampleMore` out.

`decide` is called when a sampling round has ended. `is_settled` is called after every chain that finishes, and must be
cheap: True means that the chains still running cannot change the decision (or not enough to be worth their tokens), so
they are cancelled.

Work that takes several phases is done in several calls: each ends with `Deliberating`, and the next is given its notes
as `Progress.notes`. The phases are nodes of the solve graph, so that a run resumes at the phase it has reached.

What every implementation promises: the order of the trajectories never changes a decision, nor does doubling every
chain (that may only settle what was open: it is twice the evidence for a stopping rule); chains without an answer never
count as agreement; `SampleMore` is never returned when `remaining` is 0; a judge that fails, or says what cannot be
used, costs a warning and never the decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pydantic import Field, JsonValue

from abaci.types import Bucket, Decided, Decision, Deliberating, Problem, SampleMore, Trajectory, Value

__all__ = ["Aggregator", "Decided", "Decision", "Deliberating", "Progress", "SampleMore", "conclude"]


class Progress(Value):
    """Where a run stands: `finished` chains of `started`, and `remaining` that the budget still allows.

    `notes` are those of the last `Deliberating` or `SampleMore`, empty at first.
    """

    finished: int
    started: int
    remaining: int
    notes: dict[str, JsonValue] = Field(default_factory=dict)


class Aggregator(Protocol):
    """Merges chains into one answer."""

    @property
    def first_samples(self) -> int | None:
        """How many chains to start with; None: the whole budget."""
        ...

    def is_settled(self, buckets: Sequence[Bucket], progress: Progress) -> bool:
        """Whether the chains still running may be cancelled. `buckets` are the votes so far, largest first."""
        ...

    async def decide(
        self, problem: Problem, trajectories: Sequence[Trajectory], progress: Progress
    ) -> Decision | Deliberating:
        """The decision over all chains so far, or the next phase of the work on it.

        Raises:
            SandboxError: answers could not be compared.
        """
        ...


async def conclude(
    aggregator: Aggregator, problem: Problem, trajectories: Sequence[Trajectory], progress: Progress
) -> Decision:
    """The decision, all phases in one go: for callers without a graph. Raises as `Aggregator.decide` does."""
    while True:
        decision = await aggregator.decide(problem, trajectories, progress)
        if not isinstance(decision, Deliberating):
            return decision
        progress = progress.model_copy(update={"notes": decision.notes})
