"""What a table of tilings is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from abaci.backend.kernels.common.tiling import Tiling

Kernel = Literal["dense", "sinks", "turned", "relay", "estimate"]
"""`dense` is attention over pages; `sinks` the same over two ranges of them, and `turned` by queries that are rotated
first, for sinks; `relay` has tiles of 16 rows beside those of the table; `estimate` is SparQ's first pass."""


@dataclass(frozen=True)
class Row:
    """Up to which sizes a tiling is the one to take."""

    kernel: Kernel
    bits: int
    """Of a number: 16 or 32"""
    head_size: int
    rows: int
    """Most rows (token, head of the group) that a request has; for `estimate` most components"""
    tiling: Tiling


@dataclass(frozen=True)
class Table:
    """The tilings for one architecture."""

    origin: str
    """Where the numbers come from: the device and the versions, or that they were not measured"""
    rows: tuple[Row, ...]
    """Searched in order: the narrow ones first"""


ANY = 1 << 30
"""Rows of a request without a limit."""
