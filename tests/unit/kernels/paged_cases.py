"""Batches for the kernels' tests. All that a kernel must not read is NaN, every row that it must write as well."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from abaci.backend.kernels.common.batch import Attended, PagedBatch, allocate

PADDING_ROWS = 2
TOLERANCES = {
    # Against float64 over the same rounded inputs, of numbers about 1: a few roundings of float32; half a unit of the
    # type's last place at 2, doubled for the weights, which are rounded before they multiply the values.
    torch.float32: 1e-5,
    torch.float16: 2e-3,
    torch.bfloat16: 1.6e-2,
}
RMS_RATIOS = {torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 6e-3}
"""Of the root mean square of all errors to that of what is expected: long requests give small numbers."""
LSE_TOLERANCE = 2e-5
"""Scores are sums in float32 whatever the type of what is multiplied."""
TURNED_LSE_TOLERANCES = {torch.float32: LSE_TOLERANCE, torch.float16: 5e-4, torch.bfloat16: 2e-3}
"""A query that is turned is rounded to its type once more before it meets the sinks' keys."""


@dataclass(frozen=True)
class Case:
    """Shapes of a batch; `requests` are pairs (queries, tokens)."""

    dtype: torch.dtype
    group: int
    head_size: int
    page_size: int
    requests: Sequence[tuple[int, int]]
    kv_heads: int = 1

    def __str__(self) -> str:
        lens = "+".join(f"{queries}of{tokens}" for queries, tokens in self.requests)
        return f"{str(self.dtype)[6:]}-G{self.group}-D{self.head_size}-P{self.page_size}-{lens}"


def make_batch(case: Case, seed: int = 0) -> PagedBatch:
    """Random queries, keys and values; pages in random order, with as many unused ones."""
    rng = torch.Generator().manual_seed(seed)
    pages_each = [-(-tokens // case.page_size) for _, tokens in case.requests]
    used = sum(pages_each)
    page_ids = torch.randperm(2 * used + 1, generator=rng)[:used].to(torch.int32)
    size = (2, 2 * used + 1, case.page_size, case.kv_heads, case.head_size)
    cache = torch.full(size, torch.nan, dtype=case.dtype)
    table = torch.full((len(case.requests), max(pages_each) + 1), 2**30, dtype=torch.int32)
    for request, (row, (_, tokens)) in enumerate(zip(page_ids.split(pages_each), case.requests, strict=True)):
        table[request, : len(row)] = row
        at = torch.arange(tokens)
        written = torch.randn(2, tokens, *size[3:], generator=rng).to(case.dtype)
        cache[:, row[at // case.page_size].long(), at % case.page_size] = written
    starts = torch.tensor([0, *(queries for queries, _ in case.requests)]).cumsum(0).to(torch.int32)
    rows = int(starts[-1])
    q = torch.full((rows + PADDING_ROWS, case.kv_heads * case.group, case.head_size), torch.nan, dtype=case.dtype)
    q[:rows] = torch.randn(rows, *q.shape[1:], generator=rng).to(case.dtype)
    lens = torch.tensor([tokens for _, tokens in case.requests], dtype=torch.int32)
    return PagedBatch(q, cache[0], cache[1], table, lens, starts, max(queries for queries, _ in case.requests))


def vast(size: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    """More memory than there is: what is not touched is not taken."""
    count = torch.Size(size).numel()
    memory = mmap.mmap(-1, count * dtype.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
    return torch.frombuffer(memory, dtype=dtype).view(*size)


def far_away(batch: PagedBatch) -> PagedBatch:
    """The batch with its pages, values as keys, at the end of a cache of more than 2^31 elements."""
    size = (2**31 // batch.k_pages[0].numel() + 2 + batch.block_table.numel(), *batch.k_pages.shape[1:])
    pages, used = vast(size, batch.q.dtype), batch.block_table[batch.block_table < 2**30].unique()
    pages[-len(used) :] = batch.k_pages[used.long()]
    table = size[0] - len(used) + torch.searchsorted(used, batch.block_table)
    return replace(batch, k_pages=pages, v_pages=pages, block_table=table.int())


def far_columns(batch: PagedBatch) -> PagedBatch:
    """The batch with the columns of its block table 2^30 numbers apart: from the third on past what 32 bits count."""
    requests, columns = batch.block_table.shape
    table = vast(((columns - 1) * 2**30 + requests,), torch.int32).as_strided((requests, columns), (1, 2**30))
    return replace(batch, block_table=table.copy_(batch.block_table))


def strided(batch: PagedBatch) -> PagedBatch:
    """Heads before tokens, elements before heads, keys and values side by side: nothing is copied to fit."""
    pages = torch.stack((batch.k_pages, batch.v_pages), -1).permute(3, 2, 0, 1, 4).contiguous().permute(2, 3, 1, 0, 4)
    q = batch.q.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    table = batch.block_table.T.contiguous().T
    return replace(batch, q=q, k_pages=pages[..., 0], v_pages=pages[..., 1], block_table=table)


def poisoned(batch: PagedBatch) -> Attended:
    """Room for the result, all NaN."""
    result = allocate(batch, None)
    result.out.fill_(torch.nan)
    result.lse.fill_(torch.nan)
    return result


def scattered(batch: PagedBatch) -> Attended:
    """Room for the result, all NaN, in another order than the queries: every other number is somebody else's."""
    out = torch.full((batch.q_heads, batch.tokens, 2 * batch.head_size), torch.nan, dtype=batch.q.dtype)
    lse = torch.full((batch.q_heads, 2 * batch.tokens), torch.nan)
    return Attended(out.transpose(0, 1)[..., ::2], lse.T[::2])


def rms(numbers: torch.Tensor) -> float:
    """Their root mean square."""
    return float(numbers.square().mean().sqrt())


def assert_near(found: torch.Tensor, expected: torch.Tensor) -> None:
    """`expected` in float64 but for roundings of the type that was found: each number, and all of them together."""
    tolerance, ratio = TOLERANCES[found.dtype], RMS_RATIOS[found.dtype]
    torch.testing.assert_close(found.double(), expected, atol=tolerance, rtol=tolerance)
    assert rms(found.double() - expected) <= ratio * rms(expected)


def assert_attends(
    result: Attended, expected: Attended, batch: PagedBatch, lse_tolerance: float = LSE_TOLERANCE
) -> None:
    """Every row is what it should be, and the padding was left alone."""
    rows = int(batch.query_starts[-1])
    assert_near(result.out[:rows], expected.out[:rows])
    torch.testing.assert_close(result.lse[:rows].double(), expected.lse[:rows], atol=lse_tolerance, rtol=0)
    assert result.out[rows:].isnan().all()
    assert result.lse[rows:].isnan().all()
