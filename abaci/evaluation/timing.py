"""Latency figures of offline evaluations."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile_ms(durations_s: Sequence[float], percent: float) -> float | None:
    """The nearest-rank percentile of durations, in milliseconds with two decimals; None where there are none."""
    if not durations_s:
        return None
    ordered = sorted(durations_s)
    rank = max(1, math.ceil(percent / 100 * len(ordered)))
    return round(ordered[rank - 1] * 1000, 2)


def percentage(part: int, whole: int) -> float:
    """`part` of `whole` in per cent with two decimals; 0 where there is nothing."""
    return round(100 * part / whole, 2) if whole else 0.0
