"""How an attention launch is cut: what a tiling is, and splits of the keys. `tables` holds the tilings."""

from __future__ import annotations

from dataclasses import dataclass

from abaci.backend.kernels.common.batch import PagedBatch

MIN_ROWS = 16
"""Rows of the smallest matrix tile; fewer are padded up to it."""
MAX_SPLITS = 64
PROGRAMS_PER_PROCESSOR = 2
"""Programs wanted on each streaming multiprocessor, so that one computes while another waits for memory."""


@dataclass(frozen=True)
class Tiling:
    """The constants of one compiled variant."""

    block_m: int
    """Rows (token, head of the group) a program answers"""
    tile: int
    """Keys a program loads at once"""
    warps: int
    stages: int
    """Of the loop over tiles; a tile is loaded two of them before it is used, as its pages are loaded first"""
    registers: int | None = None
    """Most that a thread may have; None leaves it to the assembler"""


def choose_splits(programs: int, max_keys: int, tiling: Tiling, processors: int) -> int:
    """Among how many programs the keys of a request are divided: a power of two that fills the device, and no more.

    `programs` start without any split, `max_keys` is the most that one request can have, `processors` the device's
    streaming multiprocessors. Splits cost a second launch, which reads what they wrote: full devices do without.
    """
    splits = 1
    while splits < MAX_SPLITS and programs * splits * 2 <= processors * PROGRAMS_PER_PROCESSOR:
        if splits * tiling.tile >= max_keys:
            break
        splits *= 2
    return splits


def count_blocks(batch: PagedBatch, block_m: int) -> tuple[int, bool]:
    """How many blocks of rows a launch needs at most, and whether each request has one block at most."""
    if batch.max_query_len * batch.group <= block_m:
        return batch.requests, True
    return batch.tokens * batch.group // block_m + batch.requests, False


def block_size(size: int) -> int:
    """The smallest power of two that holds `size`, at least the smallest matrix tile."""
    return max(MIN_ROWS, 1 << (size - 1).bit_length())
