"""Tilings for Ampere and Ada, compute capability 8; `python benchmarks/kernels.py --tune` writes this file."""

from __future__ import annotations

from abaci.backend.kernels.common.tables.row import ANY, Row, Table
from abaci.backend.kernels.common.tiling import Tiling

TABLE = Table(
    origin="compiled offline, not measured: tiles that spill nothing, one tile of keys in flight",
    rows=(
        Row("estimate", 16, 128, 64, Tiling(16, 128, warps=8, stages=7, registers=80)),
        Row("estimate", 16, 128, ANY, Tiling(16, 64, warps=8, stages=7, registers=80)),
        Row("estimate", 16, 256, 64, Tiling(16, 128, warps=8, stages=7, registers=128)),
        Row("estimate", 16, 256, ANY, Tiling(16, 64, warps=8, stages=7, registers=128)),
        Row("estimate", 32, 128, 64, Tiling(16, 64, warps=8, stages=7, registers=80)),
        Row("estimate", 32, 128, ANY, Tiling(16, 32, warps=8, stages=7, registers=80)),
        Row("estimate", 32, 256, 64, Tiling(16, 64, warps=8, stages=7, registers=128)),
        Row("estimate", 32, 256, ANY, Tiling(16, 32, warps=8, stages=7, registers=128)),
        Row("relay", 16, 64, ANY, Tiling(64, 64, warps=4, stages=3)),
        Row("relay", 16, 128, ANY, Tiling(64, 32, warps=4, stages=3, registers=255)),
        Row("relay", 16, 256, ANY, Tiling(64, 32, warps=8, stages=2)),
        Row("dense", 16, 128, 16, Tiling(16, 64, warps=4, stages=3)),
        Row("dense", 16, 256, 16, Tiling(16, 32, warps=4, stages=3, registers=224)),
        Row("dense", 16, 64, 32, Tiling(32, 64, warps=4, stages=3)),
        Row("dense", 16, 128, 32, Tiling(32, 32, warps=4, stages=3)),
        Row("dense", 16, 256, 32, Tiling(32, 32, warps=8, stages=2)),
        Row("turned", 16, 64, ANY, Tiling(64, 64, warps=8, stages=3)),
        Row("turned", 16, 128, ANY, Tiling(64, 32, warps=8, stages=3)),
        Row("turned", 16, 256, ANY, Tiling(32, 32, warps=8, stages=2)),
        Row("dense", 16, 64, ANY, Tiling(64, 64, warps=4, stages=3)),
        Row("dense", 16, 128, ANY, Tiling(64, 32, warps=4, stages=3)),
        Row("sinks", 16, 256, ANY, Tiling(32, 32, warps=8, stages=2)),
        Row("dense", 16, 256, ANY, Tiling(64, 32, warps=8, stages=2)),
        Row("dense", 32, 128, ANY, Tiling(16, 16, warps=4, stages=2, registers=255)),
        Row("turned", 32, 256, ANY, Tiling(16, 16, warps=8, stages=2)),
        Row("dense", 32, 256, ANY, Tiling(16, 16, warps=4, stages=2)),
    ),
)
