"""What the launches of all kernels share: the cut, the arguments in their order, and the merge of splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from abaci.backend.kernels.common.batch import Attended, PagedBatch
from abaci.backend.kernels.common.tables.choose import choose_tiling
from abaci.backend.kernels.common.tables.row import Kernel
from abaci.backend.kernels.common.tiling import Tiling, block_size, choose_splits, count_blocks

LOG2_E = 1.4426950408889634
"""Kernels compute powers of 2: scores are scaled by this as well."""


@dataclass(frozen=True)
class Plan:
    """How one launch is cut."""

    tiling: Tiling
    splits: int


@dataclass(frozen=True)
class Gpu:
    """What a cut depends on."""

    capability: int
    """Major compute capability: 8 Ampere and Ada, 9 Hopper"""
    processors: int
    """Streaming multiprocessors"""


def gpu_of(batch: PagedBatch) -> Gpu:
    """The GPU on which the batch lies."""
    properties = torch.cuda.get_device_properties(batch.q.device)
    return Gpu(properties.major, properties.multi_processor_count)


def plan(batch: PagedBatch, gpu: Gpu, max_keys: int | None = None, kernel: Kernel = "dense") -> Plan:
    """The cut for this batch, where no block of rows attends over more than `max_keys` keys.

    The cut depends on shapes alone, never on lengths: one captured graph serves them all.
    """
    tiling = choose_tiling(kernel, batch.max_query_len * batch.group, batch.head_size, batch.q.dtype, gpu.capability)
    blocks, _ = count_blocks(batch, tiling.block_m)
    capacity = batch.block_table.shape[1] * batch.page_size
    keys = capacity if max_keys is None else min(max_keys, capacity)
    return Plan(tiling, choose_splits(blocks * batch.kv_heads, keys, tiling, gpu.processors))


def operands(batch: PagedBatch) -> tuple[Any, ...]:
    """The batch as an operation takes it: a custom operation has tensors and numbers for arguments, no classes."""
    return (*tensors(batch), batch.max_query_len)


def tensors(batch: PagedBatch) -> tuple[torch.Tensor, ...]:
    """The batch's tensors in the order in which every kernel takes them."""
    return batch.q, batch.k_pages, batch.v_pages, batch.block_table, batch.seq_lens, batch.query_starts


def strides(batch: PagedBatch, parts: Attended) -> tuple[int, ...]:
    """The strides in the order in which every kernel takes them."""
    return (
        *batch.q.stride(),
        *batch.k_pages.stride(),
        *batch.v_pages.stride(),
        *batch.block_table.stride(),
        *parts.out.stride(),
        *parts.lse.stride(),
    )


def compiler_options(tiling: Tiling) -> dict[str, int | None]:
    """What Triton is told beside the kernel's own constants."""
    return {"num_warps": tiling.warps, "num_stages": tiling.stages, "maxnreg": tiling.registers}


def constants(batch: PagedBatch, cut: Plan, is_one_block: bool) -> dict[str, int | bool | None]:
    """What every kernel is compiled for."""
    return {
        "G": batch.group,
        "D": batch.head_size,
        "BLOCK_D": block_size(batch.head_size),
        "P": batch.page_size,
        "BLOCK_M": cut.tiling.block_m,
        "TILE": cut.tiling.tile,
        "SPLITS": cut.splits,
        "ONE_BLOCK": is_one_block,
        **compiler_options(cut.tiling),
    }


def allocate_parts(batch: PagedBatch, result: Attended, splits: int) -> Attended:
    """[splits, T, Hq, D] and [splits, T, Hq] for the results over each split's keys; the result itself for one."""
    if splits == 1:
        return Attended(result.out[None], result.lse[None])
    size = (splits, batch.tokens, batch.q_heads, batch.head_size)
    out = torch.empty(size, dtype=torch.float32, device=batch.q.device)
    return Attended(out, torch.empty(size[:3], dtype=torch.float32, device=batch.q.device))


def merge_parts(batch: PagedBatch, parts: Attended, result: Attended) -> None:
    """Put the results over all splits into `result`, unless they lie there already."""
    from abaci.backend.kernels.common.tiles import merge_splits_kernel

    splits = parts.out.shape[0]
    if splits == 1:
        return
    merge_splits_kernel[(batch.tokens, batch.q_heads)](
        parts.out,
        parts.lse,
        batch.query_starts,
        result.out,
        result.lse,
        batch.requests,
        *parts.out.stride(),
        *parts.lse.stride(),
        *result.out.stride(),
        *result.lse.stride(),
        D=batch.head_size,
        BLOCK_D=block_size(batch.head_size),
        SPLITS=splits,
    )
