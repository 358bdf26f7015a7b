"""Latency figures."""

from __future__ import annotations

import pytest

from abaci.evaluation.timing import percentage, percentile_ms


@pytest.mark.parametrize(("percent", "expected"), [(50, 20.0), (99, 40.0), (100, 40.0), (1, 10.0)])
def test_percentiles_are_by_nearest_rank(percent: float, expected: float) -> None:
    assert percentile_ms([0.04, 0.01, 0.03, 0.02], percent) == expected


def test_nothing_measured_is_none() -> None:
    assert percentile_ms([], 50) is None


def test_a_share_of_nothing_is_zero() -> None:
    assert (percentage(1, 3), percentage(0, 0)) == (33.33, 0.0)
