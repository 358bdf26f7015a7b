from __future__ import annotations

import pytest

from abaci.aggregation.config import AdaptiveConfig, SelfConsistencyConfig, WindowRule
from abaci.cli.aggregators import aggregator_config, aggregator_names
from abaci.errors import InvalidInput


def test_every_aggregator_can_be_chosen() -> None:
    assert aggregator_names() == ("self_consistency", "adaptive", "aor", "atomic", "universal", "genselect")


def test_options_of_an_aggregator_are_set_by_dotted_names() -> None:
    config = aggregator_config("adaptive", ["rule.kind=window", "rule.size=3", "answer.kind=self_consistency"])
    assert config == AdaptiveConfig(rule=WindowRule(size=3), answer=SelfConsistencyConfig())
    assert aggregator_config("self_consistency", ["weight=reward"]) == SelfConsistencyConfig(weight="reward")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["wieght=reward"], "wieght"),
        (["weight=heavy"], "weight"),
        (["min_share=2"], "min_share"),
        (["weight"], "NAME=VALUE"),
        (["=1"], "NAME=VALUE"),
        (["weight=reward", "weight.x=1"], "weight.x"),
    ],
)
def test_an_option_that_does_not_fit_is_named(options: list[str], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        aggregator_config("self_consistency", options)
