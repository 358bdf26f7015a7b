"""How SparQ's launches are cut, the scratch between them, and the launches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from abaci.backend.kernels.common.batch import Attended, PagedBatch
from abaci.backend.kernels.common.launching import LOG2_E, Gpu, allocate_parts, compiler_options, tensors
from abaci.backend.kernels.common.tables.choose import choose_tiling
from abaci.backend.kernels.common.tiling import Tiling, block_size, choose_splits
from abaci.backend.kernels.sparq.policy import MAX_KEYS, Sparq, SparqIndex

MIN_CHUNK, MAX_CHUNK = 1024, 4096
CHUNKS_PER_PROCESSOR = 8
"""Chunks wanted for each streaming multiprocessor, so that all finish at about the same time."""
MAX_CANDIDATES = 2 * MAX_KEYS
"""Candidates among which one program chooses: its registers hold their scores."""
ATTEND_STAGES = 7
"""So that two tiles are on their way: a tile's pages are loaded two stages before it, its list two before them."""

APPENDED_BYTES = 16384
"""Of keys, and of values, that one program writes."""


@dataclass(frozen=True)
class SparqPlan:
    """How the launches for one batch are cut; each size is a power of two."""

    chunk: int
    """Tokens whose scores one program estimates"""
    estimate: Tiling
    """Of the estimate, which loads a tile of them at once"""
    tiling: Tiling
    """Of the exact attention"""
    splits: int
    """Programs among which a key-value head's chosen tokens, or a short request's, are divided"""
    max_candidates: int = MAX_CANDIDATES
    """At least twice the policy's keys"""


def plan_sparq(batch: PagedBatch, policy: Sparq, gpu: Gpu) -> SparqPlan:
    """The cut for this batch: by shapes alone, never by lengths."""
    capacity = batch.block_table.shape[1] * batch.page_size
    pairs = batch.requests * batch.kv_heads
    head = (batch.head_size, batch.q.dtype, gpu.capability)
    tiling = choose_tiling("dense", batch.group, *head)
    # Half as many programs as processors will do: few tokens are chosen, each split chooses them anew, and to mix what
    # splits find is a launch of its own.
    splits = choose_splits(pairs, min(policy.whole_tokens, capacity), tiling, gpu.processors // 4)
    chunk = choose_chunk(pairs, capacity, policy.keys, gpu.processors)
    cut = SparqPlan(chunk, choose_tiling("estimate", policy.components, *head), tiling, splits)
    block = Stages.of(batch, policy, cut).block
    # As many threads as keep the candidates' scores in registers. Four warps do for the small tiles of float32; its
    # large ones take more registers than a thread of sixteen may have.
    is_small = batch.q.dtype == torch.float32 and batch.head_size <= 128
    is_large = batch.q.dtype == torch.float32 and not is_small
    warps = 16 if block > 8192 and not is_large else 8 if block > 4096 or not is_small else 4
    # The assembler, left alone, aims at more programs and spills: for small heads, and for the largest of float32.
    most = None if is_small else 255 if is_large else 224 if batch.head_size <= 64 else None
    registers = 128 if most and warps == 16 else most
    return replace(cut, tiling=replace(tiling, warps=warps, stages=ATTEND_STAGES, registers=registers))


def choose_chunk(pairs: int, capacity: int, keys: int, processors: int) -> int:
    """Tokens whose scores one program estimates, where `pairs` are the requests' key-value heads.

    Small enough to fill the device, as long as each chunk leaves half of its tokens out, and all together not more than
    one program chooses among with ease.
    """
    chunk = MAX_CHUNK
    while chunk > MIN_CHUNK and chunk >= 4 * keys:
        half = chunk // 2
        is_too_small = pairs * -(-capacity // half) > CHUNKS_PER_PROCESSOR * processors
        if is_too_small or narrowed(capacity, half, keys) > MAX_CANDIDATES // 2:
            break
        chunk = half
    return chunk


@dataclass(frozen=True)
class Stages:
    """How many candidates there are at most before and after each narrowing, and the sizes that follow."""

    chunks: int
    """Programs that estimate the scores of one request and head"""
    narrows: bool
    """Whether each lists the best of its chunk, so that fewer are candidates"""
    counts: tuple[int, ...]
    """Candidates before each launch that narrows them down, and at last those among which attention chooses"""
    block: int
    """The last of `counts`, rounded up to a power of two"""
    width: int
    """Scores that there is room for: whole chunks and whole blocks of candidates"""

    @classmethod
    def of(cls, batch: PagedBatch, policy: Sparq, cut: SparqPlan) -> Stages:
        """What follows from the capacity of the batch's block table."""
        capacity = batch.block_table.shape[1] * batch.page_size
        narrows = policy.keys < cut.chunk
        counts = [narrowed(capacity, cut.chunk, policy.keys) if narrows else capacity]
        while counts[-1] > cut.max_candidates:
            counts.append(narrowed(counts[-1], cut.max_candidates, policy.keys))
        block = block_size(counts[-1])
        whole = max(cut.chunk, min(block_size(capacity), cut.max_candidates))
        return cls(-(-capacity // cut.chunk), narrows, tuple(counts), block, -(-capacity // whole) * whole)


@dataclass(frozen=True)
class Scratch:
    """What the launches hand on, contiguous; nothing is initialised, and nothing is written for short requests."""

    scores: torch.Tensor
    """[B, Hk, width], float32, in base 2: each token's estimates summed over the group"""
    estimate_lse: torch.Tensor
    """[B, Hq, chunks], float32, in base 2"""
    v_parts: torch.Tensor
    """[B, Hk, chunks, D], float32"""
    lists: tuple[torch.Tensor, ...]
    """[B, Hk, count], int32, for each of `Stages.counts`: positions of candidates, ascending"""
    selected: torch.Tensor
    """[B, Hk, keys], int32: positions of the tokens that were attended over"""


def allocate_scratch(batch: PagedBatch, policy: Sparq, stages: Stages) -> Scratch:
    """Room for the launches of one batch."""

    def empty(*size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.empty(batch.requests, *size, dtype=dtype, device=batch.q.device)

    return Scratch(
        empty(batch.kv_heads, stages.width),
        empty(batch.q_heads, stages.chunks),
        empty(batch.kv_heads, stages.chunks, batch.head_size),
        tuple(empty(batch.kv_heads, count, dtype=torch.int32) for count in stages.counts),
        empty(batch.kv_heads, policy.keys, dtype=torch.int32),
    )


@dataclass(frozen=True)
class SparqLaunch:
    """One decode step over a batch."""

    batch: PagedBatch
    policy: Sparq
    index: SparqIndex
    scale: float
    cut: SparqPlan

    def run(self, out: torch.Tensor) -> Scratch:
        """Fill `out` on the batch's device, or in Triton's interpreter on the CPU. Gives what lay between launches."""
        stages = Stages.of(self.batch, self.policy, self.cut)
        scratch = allocate_scratch(self.batch, self.policy, stages)
        if self.batch.requests > 0:
            self._estimate(stages, scratch)
            self._narrow(stages, scratch)
            self._attend(stages, scratch, out)
        return scratch

    def _constants(self, stages: Stages) -> dict[str, int | bool]:
        """What the kernels over queries are compiled for."""
        return {
            "G": self.batch.group,
            "D": self.batch.head_size,
            "BLOCK_D": block_size(self.batch.head_size),
            "P": self.batch.page_size,
            "BLOCK_M": block_size(self.batch.group),
            "R": min(self.policy.components, self.batch.head_size),
            "K": self.policy.keys,
            "CHUNK": self.cut.chunk,
            "CHUNKS": stages.chunks,
            "WIDTH": stages.width,
            "NARROWS": stages.narrows,
        }

    def _estimate(self, stages: Stages, scratch: Scratch) -> None:
        from abaci.backend.kernels.sparq.kernel import estimate_kernel

        batch, constants = self.batch, self._constants(stages)
        columns, tiling = self.index.columns_of(batch), self.cut.estimate
        run = contiguous_run(columns, tiling.tile)
        if run == 1:
            # Components are gathered number by number, which takes more registers than the table leaves a thread.
            tiling = replace(tiling, registers=None)
        estimate_kernel[(batch.requests, batch.kv_heads, stages.chunks)](
            batch.q,
            columns,
            batch.v_pages,
            self.index.v_sums,
            *tensors(batch)[3:],
            scratch.scores,
            scratch.estimate_lse,
            scratch.v_parts,
            scratch.lists[0],
            self.scale * LOG2_E,
            self.policy.whole_tokens,
            self.policy.local,
            *batch.q.stride(),
            *columns.stride(),
            *batch.v_pages.stride(),
            *self.index.v_sums.stride(),
            *batch.block_table.stride(),
            **constants,
            BLOCK_R=block_size(min(self.policy.components, batch.head_size)),
            TILE=tiling.tile,
            RUN=run,
            LISTED=stages.counts[0],
            **compiler_options(tiling),
        )

    def _narrow(self, stages: Stages, scratch: Scratch) -> None:
        from abaci.backend.kernels.sparq.kernel import narrow_kernel

        group = self.cut.max_candidates
        for level, count in enumerate(stages.counts[:-1]):
            narrow_kernel[(self.batch.requests, self.batch.kv_heads, -(-count // group))](
                scratch.scores,
                scratch.lists[level],
                scratch.lists[level + 1],
                self.batch.seq_lens,
                self.policy.whole_tokens,
                K=self.policy.keys,
                WIDTH=stages.width,
                LISTED=count,
                KEPT=stages.counts[level + 1],
                CHUNK=self.cut.chunk,
                GROUP=group,
                NARROWS=stages.narrows,
                LEVEL=level,
                num_warps=16,
            )

    def _attend(self, stages: Stages, scratch: Scratch, out: torch.Tensor) -> None:
        from abaci.backend.kernels.sparq.kernel import attend_kernel, mix_splits_kernel

        batch, cut, splits, constants = self.batch, self.cut, self.cut.splits, self._constants(stages)
        rows = torch.empty(batch.tokens, batch.q_heads, dtype=torch.float32, device=batch.q.device)
        parts = allocate_parts(batch, Attended(out, rows), splits)
        found = torch.empty_like(parts.lse)
        attend_kernel[(batch.requests, batch.kv_heads, splits)](
            *tensors(batch),
            scratch.scores,
            scratch.estimate_lse,
            scratch.v_parts,
            scratch.lists[-1],
            scratch.selected,
            parts.out,
            parts.lse,
            found,
            self.scale * LOG2_E,
            self.policy.whole_tokens,
            *batch.q.stride(),
            *batch.k_pages.stride(),
            *batch.v_pages.stride(),
            *batch.block_table.stride(),
            *parts.out.stride(),
            *parts.lse.stride(),
            **constants,
            TILE=cut.tiling.tile,
            SPLITS=splits,
            BLOCK_C=block_size(stages.chunks),
            LISTED=stages.counts[-1],
            GROUP=cut.max_candidates,
            LEVEL=len(stages.counts) - 1,
            CANDIDATES=stages.block,
            **compiler_options(cut.tiling),
        )
        if splits == 1:
            return
        mix_splits_kernel[(batch.requests, batch.q_heads)](
            parts.out,
            parts.lse,
            found,
            scratch.v_parts,
            batch.seq_lens,
            batch.query_starts,
            out,
            self.policy.whole_tokens,
            *parts.out.stride(),
            *parts.lse.stride(),
            *out.stride(),
            G=batch.group,
            D=batch.head_size,
            BLOCK_D=block_size(batch.head_size),
            SPLITS=splits,
            CHUNK=cut.chunk,
            CHUNKS=stages.chunks,
        )


def narrowed(count: int, group: int, keys: int) -> int:
    """How many of `count` candidates are left when every `group` of them keeps its `keys` best."""
    return count // group * keys + min(count % group, keys)


def contiguous_run(columns: torch.Tensor, tile: int) -> int:
    """How many tokens, from a multiple of it, surely lie side by side in `columns` [N, Hk, D, P]: a power of two."""
    if columns.stride(3) != 1:
        return 1
    run = tile
    while columns.shape[3] % run or columns.stride(0) % run:
        run //= 2
    return run


def append(batch: PagedBatch, k: torch.Tensor, v: torch.Tensor, index: SparqIndex) -> None:
    """Run the kernel that writes new tokens on the batch's device, or in Triton's interpreter on the CPU."""
    from abaci.backend.kernels.sparq.append_kernel import append_kernel

    if batch.requests == 0 or batch.tokens == 0:
        return
    # Of a prompt, so many that registers hold their keys and values.
    block = 16 if batch.max_query_len <= 16 else min(64, APPENDED_BYTES // block_size(batch.head_size) // k.itemsize)
    is_one_block = batch.max_query_len <= block
    blocks = batch.requests if is_one_block else batch.tokens // block + batch.requests
    columns = index.columns_of(batch)
    append_kernel[(blocks, batch.kv_heads)](
        k,
        v,
        batch.k_pages,
        batch.v_pages,
        columns,
        index.v_sums,
        *tensors(batch)[3:],
        batch.requests,
        *k.stride(),
        *v.stride(),
        *batch.k_pages.stride(),
        *batch.v_pages.stride(),
        *columns.stride(),
        *index.v_sums.stride(),
        *batch.block_table.stride(),
        D=batch.head_size,
        BLOCK_D=block_size(batch.head_size),
        P=batch.page_size,
        BLOCK=block,
        ONE_BLOCK=is_one_block,
        HAS_COLUMNS=index.columns is not None,
    )
