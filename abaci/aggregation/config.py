"""How chains are merged, as configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from abaci.types import Value


class SelfConsistencyConfig(Value):
    """Majority vote; abstains below `min_share` of the answered chains."""

    kind: Literal["self_consistency"] = "self_consistency"
    min_share: float = Field(default=0.0, ge=0.0, le=1.0)


AggregatorConfig = SelfConsistencyConfig
