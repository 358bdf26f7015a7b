"""Which tiling a launch takes."""

from __future__ import annotations

import torch

from abaci.backend.kernels.common.tables import sm80, sm90
from abaci.backend.kernels.common.tables.row import Kernel, Table
from abaci.backend.kernels.common.tiling import Tiling


def table_of(capability: int) -> Table:
    """The table of a GPU of this major compute capability: Hopper's from 9 on, else Ampere's."""
    return sm90.TABLE if capability >= 9 else sm80.TABLE


def choose_tiling(kernel: Kernel, rows: int, head_size: int, dtype: torch.dtype, capability: int) -> Tiling:
    """The first row of the table that fits: of this kernel or of `dense`, numbers of this size, and limits not below.

    `rows` are the most that a request has, or SparQ's components; `capability` is the major number.

    Raises:
        ValueError: no row fits; head sizes go to 256.
    """
    for row in table_of(capability).rows:
        is_of_kind = row.kernel in (kernel, "dense") and row.bits == 8 * dtype.itemsize
        if is_of_kind and head_size <= row.head_size and rows <= row.rows:
            return row.tiling
    raise ValueError(f"no tiling for {kernel} with {rows} rows, heads of {head_size} and {dtype}")
