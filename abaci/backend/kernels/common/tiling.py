"""How an attention launch is cut: rows and keys of a tile, warps, pipeline stages, splits of the keys. Pure rules."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

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
    """Tiles in flight"""


def choose_tiling(rows: int, head_size: int, dtype: torch.dtype, capability: int) -> Tiling:
    """The tiles for requests of at most `rows` rows on a GPU of compute capability 8 (Ampere, Ada) or 9 up (Hopper).

    Decode (few rows) reads memory and hardly computes: few rows, several loads in flight. Prefill computes: more rows,
    which take registers and shared memory, so fewer keys at once where heads or types are wide. Ampere multiplies from
    registers, of which larger tiles than these would need more than there are.
    """
    wide = head_size > 128
    if dtype == torch.float32:
        return Tiling(MIN_ROWS, 16, warps=4, stages=2)
    if rows <= MIN_ROWS:
        return Tiling(MIN_ROWS, 32 if wide else 64, warps=4, stages=3)
    if wide:
        return Tiling(min(64, block_size(rows)), 32, warps=8, stages=2)
    if capability < 9:
        return Tiling(min(64, block_size(rows)), 64 if head_size <= 64 else 32, warps=4, stages=3)
    if rows <= 64:
        return Tiling(block_size(rows), 64, warps=4, stages=3)
    return Tiling(128, 64, warps=8, stages=3)


def lighten(tiling: Tiling) -> Tiling:
    """Half the numbers for each thread: for prefill that computes on its queries first, and needs registers for it."""
    if tiling.block_m <= 2 * MIN_ROWS:
        return tiling
    if tiling.warps < 8:
        return replace(tiling, warps=8)
    return replace(tiling, block_m=tiling.block_m // 2)


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
