"""What the kernels must reach on an H200, and whether what was measured does.

    python benchmarks/kernels_bars.py

Without a GPU it prints each bar's roofline: the bytes that must move, and which share of a copy's rate reaches the bar,
where dense attention takes what `kernels_dense.py` estimates.
`benchmarks/kernels.py` judges by the same bars what it measures.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import kernels_dense
import kernels_relay
import kernels_sparq
import torch
from kernels_dense import MEMORY, Case, dense_cases, roofline_us
from kernels_relay import SharedCase, shared_cases
from kernels_sparq import SparqCase, sparq_cases

OURS, PLAIN = "abaci", "abaci dense"
RELAY_US, SPARQ_US = 23.0, 45.0
RELAY_CASE = "Llama-3-8B relay, 64 × (2048 + 0 + 256)"
SPARQ_CASE = "Llama-3-8B SparQ r=32 k=128, 8 × 32768"
DENSE_SHARE, DENSE_BYTES = 0.92, 128_000_000
SINK_SHARE, SINK_REQUESTS = 0.90, 64
SPARQ_TIMES, OFF_TIMES = 5.0, 1.03
MIN_SHARERS = 16
"""From so many requests on sharing must be faster than everything else, below faster than not to share."""


@dataclass(frozen=True)
class Verdict:
    """One bar and what was measured against it."""

    bar: str
    limit: float
    measured: float
    holds: bool

    def __str__(self) -> str:
        return f"{'holds ' if self.holds else 'FAILS '} {self.bar}: {self.measured:.3g}, limit {self.limit:.3g}"


Medians = dict[str, dict[str, float]]
"""Of each case, by kernel: microseconds"""


def is_shared(case: SharedCase) -> bool:
    """Whether the policy lets requests share; the others are to be left to plain attention."""
    return kernels_relay.estimate(case).is_shared


def at_most(bar: str, measured: float, limit: float) -> Verdict:
    """A bar on time."""
    return Verdict(bar, limit, measured, measured <= limit)


def at_least(bar: str, measured: float, limit: float) -> Verdict:
    """A bar on a share or a ratio."""
    return Verdict(bar, limit, measured, measured >= limit)


def verdicts(medians: Medians, copy_bytes_per_s: float) -> Iterator[Verdict]:
    """Of every bar whose cases were measured."""
    for case in shared_cases():
        if (found := medians.get(str(case))) is not None:
            yield from relay_verdicts(case, found)
    for sparq in sparq_cases():
        if str(sparq) == SPARQ_CASE and (found := medians.get(SPARQ_CASE)) is not None:
            yield at_most(f"{SPARQ_CASE}, us", found[OURS], SPARQ_US)
            yield at_least(f"{SPARQ_CASE}, times dense", found.get(PLAIN, math.nan) / found[OURS], SPARQ_TIMES)
    for dense in dense_cases(torch.device("cpu")):
        limit = required_share(dense)
        if limit is not None and (found := medians.get(str(dense))) is not None:
            yield at_least(f"{dense}, of a copy", dense.read_bytes / found[OURS] * 1e6 / copy_bytes_per_s, limit)


def relay_verdicts(case: SharedCase, found: dict[str, float]) -> Iterator[Verdict]:
    """Faster than everything else where it pays, and than dense where few share; no slower than that where it does not
    pay. Without others, it fails.
    """
    if str(case) == RELAY_CASE:
        yield at_most(f"{case}, us", found[OURS], RELAY_US)
    if not is_shared(case):
        yield at_most(f"{case}, of dense", found[OURS] / found.get(PLAIN, math.nan), OFF_TIMES)
    elif case.requests >= MIN_SHARERS:
        others = {name: us for name, us in found.items() if name not in (OURS, "abaci search")}
        name = min(others, key=lambda other: others[other], default=PLAIN)
        yield at_most(f"{case}, of {name}", found[OURS] / others.get(name, math.nan), 1.0)
    else:
        yield at_most(f"{case}, of dense", found[OURS] / found.get(PLAIN, math.nan), 1.0)


def required_share(case: Case) -> float | None:
    """Of a copy's rate, where there is a bar on it."""
    if case.policy is not None:
        return SINK_SHARE if case.requests >= SINK_REQUESTS else None
    return DENSE_SHARE if case.read_bytes >= DENSE_BYTES else None


def rooflines() -> Iterator[tuple[str, float, float]]:
    """Of each bar: its text, the megabytes that must move, and the microseconds that they may take."""
    for case in shared_cases():
        found = kernels_relay.estimate(case)
        if str(case) == RELAY_CASE:
            yield f"{case} ≤ {RELAY_US:g} us", found.moved_mb, RELAY_US
        if not found.is_shared:
            yield f"{case} ≤ {OFF_TIMES:g} dense", found.moved_mb, OFF_TIMES * found.plain_us
        else:
            yield f"{case} < dense", found.moved_mb, found.plain_us
    sparq: SparqCase = next(case for case in sparq_cases() if str(case) == SPARQ_CASE)
    moved = sparq.read_bytes + sparq.score_bytes
    yield f"{SPARQ_CASE} ≤ {SPARQ_US:g} us", moved / 1e6, SPARQ_US
    fifth = kernels_sparq.estimate(sparq).plain_us / SPARQ_TIMES
    yield f"{SPARQ_CASE} ≤ dense / {SPARQ_TIMES:g}", moved / 1e6, fifth
    for dense in dense_cases(torch.device("cpu")):
        limit = required_share(dense)
        if limit is not None:
            counted = kernels_dense.estimate(dense)
            allowed = dense.read_bytes / (MEMORY * limit) * 1e6
            yield f"{dense} ≥ {limit:.0%} of a copy", counted.moved_mb, allowed


def main() -> int:
    """Print one line a bar."""
    print(f"{'rooflines, not measured':66} {'MB':>8} {'bar us':>8} {'copy us':>8}  rate needed, of a copy")
    for text, megabytes, bar_us in rooflines():
        copy_us = roofline_us(megabytes * 1e6)
        print(f"{text:66} {megabytes:8.1f} {bar_us:8.1f} {copy_us:8.1f}  {copy_us / bar_us:6.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
