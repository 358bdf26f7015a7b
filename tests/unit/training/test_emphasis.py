"""Shares by what the model still gets wrong."""

from __future__ import annotations

from training import emphasis


def test_factor_grows_with_the_share_of_wrong_answers() -> None:
    factors = [emphasis.factor(wrong, 10) for wrong in range(11)]
    assert factors == sorted(factors)
    assert emphasis.LEAST < factors[0] < 1 < factors[-1] < emphasis.MOST
