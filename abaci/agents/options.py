"""What a caller may choose for one run."""

from __future__ import annotations

from pydantic import Field

from abaci.aggregation.config import AggregatorConfig, SelfConsistencyConfig
from abaci.types import Budget, Sampling, Value


class SolveOptions(Value):
    """How one problem is solved. `style` names a prompt style; absent: the one that fits the model."""

    aggregator: AggregatorConfig = SelfConsistencyConfig()
    budget: Budget = Budget()
    sampling: Sampling = Sampling()
    style: str | None = Field(default=None, max_length=100)
    is_logprobs_wanted: bool = False

    @property
    def max_samples(self) -> int:
        """Chains to draw at most: what the budget says, or where it says nothing, what the aggregator wants."""
        return self.budget.samples or self.aggregator.max_samples
