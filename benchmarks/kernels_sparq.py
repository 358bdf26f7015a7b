"""What a SparQ decode step must read, and the upkeep for new tokens move, and how long that takes at least.

    python benchmarks/kernels_sparq.py [--json]

Needs no GPU. The estimates are rooflines, not measurements: bytes at 85 % of what a copy reaches on an H200, the dense
step as `kernels_dense.py` has it; launches, selection and waiting are not in them. "once" is for keys that are stored
once, with tokens innermost. `benchmarks/kernels.py` measures the decode steps, with keys stored twice, on a GPU.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

import kernels_dense
import torch
from kernels_dense import HEAD_SIZE, MODELS, TYPE, Case, roofline_us

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.sparq.op import sparq_attention
from abaci.backend.kernels.sparq.policy import Sparq, SparqIndex, make_index
from abaci.backend.kernels.sparq.reference import sparq_attention_reference

PAGE_SIZE = 128
GATHER_SHARE = 0.85
SECTOR_BYTES = 32
"""What memory moves at least, however few bytes of it are asked for."""
SECTOR_TOKENS = SECTOR_BYTES // TYPE.itemsize
"""Of a component, where tokens are innermost"""
PEAK = 4.0
"""Queries are so much larger than keys: attention over random keys would otherwise be the mean of all values."""
TOLERANCE = 1.6e-2
"""Of bfloat16, times the size of the results."""


@dataclass(frozen=True)
class SparqCase:
    """One layer's decode step over long contexts."""

    model: str
    q_heads: int
    kv_heads: int
    requests: int
    tokens: int
    sparq: Sparq
    policy: None = None
    """No sinks"""

    def __str__(self) -> str:
        sizes = f"r={self.sparq.components} k={self.sparq.keys}"
        return f"{self.model} SparQ {sizes}, {self.requests} × {self.tokens}"

    @property
    def column_bytes(self) -> int:
        """The chosen components of all keys."""
        return self.requests * self.kv_heads * self.tokens * self.sparq.components * TYPE.itemsize

    @property
    def sum_bytes(self) -> int:
        """The pages' sums of values."""
        return self.requests * self.kv_heads * (self.tokens // PAGE_SIZE) * HEAD_SIZE * 4

    @property
    def exact_bytes(self) -> int:
        """The chosen keys and values."""
        return self.requests * self.kv_heads * self.sparq.keys * HEAD_SIZE * TYPE.itemsize * 2

    @property
    def score_bytes(self) -> int:
        """One score a token and key-value head: written, then read from the GPU's own cache if all goes well."""
        return self.requests * self.kv_heads * self.tokens * 4

    @property
    def read_bytes(self) -> int:
        """What must be read."""
        return self.column_bytes + self.sum_bytes + self.exact_bytes

    @property
    def once_bytes(self) -> int:
        """What is read at most where keys are stored once: an element of a chosen key then brings a sector.

        The local ones share theirs. None of the others is taken to have a neighbour among them, and components that
        the estimates have read already count again.
        """
        local = -(-self.sparq.local // SECTOR_TOKENS)
        sectors = min(self.sparq.keys - self.sparq.local, self.tokens // SECTOR_TOKENS - local) + local
        gathered = self.requests * self.kv_heads * HEAD_SIZE * sectors * SECTOR_BYTES
        return self.column_bytes + self.sum_bytes + self.exact_bytes // 2 + gathered

    @property
    def plain(self) -> Case:
        """The same step in dense attention."""
        return Case(self.model, self.q_heads, self.kv_heads, self.requests, self.tokens)

    @property
    def plain_bytes(self) -> int:
        """Keys and values that it reads."""
        return self.plain.read_bytes


def sparq_cases() -> list[SparqCase]:
    """Sizes of Llama 3 8B and Qwen2.5 7B."""
    cases = []
    for requests, tokens in ((1, 32768), (8, 32768), (32, 32768), (1, 131072), (8, 131072)):
        for components, keys in ((16, 128), (32, 128), (32, 1024), (16, tokens // 16)):
            cases.append(SparqCase(*MODELS[0], requests, tokens, Sparq(components, keys, keys // 4)))
    cases += [SparqCase(*MODELS[1], requests, 32768, Sparq(32, 128, 32)) for requests in (1, 8)]
    return cases


def append_cases() -> list[Case]:
    """New tokens of decode steps, all of which fill their page and none of which do, and of prompts."""
    sizes = [(8, 1, 32768), (8, 1, 32767), (32, 1, 32768), (32, 1, 32767), (1, 2048, 32768), (1, 32768, 32768)]
    return [Case(*MODELS[0], requests, tokens, None, queries) for requests, queries, tokens in sizes]


def make_sparq_batch(case: SparqCase, device: torch.device) -> PagedBatch:
    """Random tensors, pages in random order."""
    pages_each = -(-case.tokens // PAGE_SIZE)
    count = case.requests * pages_each
    cache = torch.randn(2, count, PAGE_SIZE, case.kv_heads, HEAD_SIZE, dtype=TYPE, device=device)
    table = torch.randperm(count, device=device).to(torch.int32).view(case.requests, pages_each)
    q = PEAK * torch.randn(case.requests, case.q_heads, HEAD_SIZE, dtype=TYPE, device=device)
    lens = torch.full((case.requests,), case.tokens, dtype=torch.int32, device=device)
    starts = torch.arange(case.requests + 1, dtype=torch.int32, device=device)
    return PagedBatch(q, cache[0], cache[1], table, lens, starts, max_query_len=1)


def indexed(batch: PagedBatch) -> SparqIndex:
    """What would have been kept up while the pages were filled."""
    index = make_index(batch.k_pages, transposed=False)
    torch.sum(batch.v_pages, 1, dtype=torch.float32, out=index.v_sums)
    return SparqIndex(index.v_sums, batch.k_pages.permute(0, 2, 3, 1).contiguous())


def sparq_call(case: SparqCase, batch: PagedBatch) -> Callable[[], torch.Tensor]:
    """The decode step, its index made beforehand."""
    index = indexed(batch)
    return lambda: sparq_attention(batch, case.sparq, index)


def is_sparq_right(case: SparqCase, batch: PagedBatch) -> bool:
    """Whether the kernels give what float64 gives, over the very tensors that are timed."""
    right = sparq_attention_reference(batch, case.sparq, HEAD_SIZE**-0.5)
    size = float(right.std())
    out = sparq_call(case, batch)()
    return torch.allclose(out.double(), right, atol=TOLERANCE * size, rtol=TOLERANCE)


@dataclass(frozen=True)
class Estimate:
    """Of one call; bytes in millions."""

    case: str
    plain_mb: float
    column_mb: float
    sum_mb: float
    exact_mb: float
    once_mb: float
    """All that is read at most where keys are stored once"""
    score_mb: float
    """Written; not in the estimate, as the GPU's own cache holds them"""
    plain_us: float
    estimate_us: float
    once_us: float


def estimate(case: SparqCase) -> Estimate:
    """Count the bytes of one case."""
    return Estimate(
        case=str(case),
        plain_mb=case.plain_bytes / 1e6,
        column_mb=case.column_bytes / 1e6,
        sum_mb=case.sum_bytes / 1e6,
        exact_mb=case.exact_bytes / 1e6,
        once_mb=case.once_bytes / 1e6,
        score_mb=case.score_bytes / 1e6,
        plain_us=kernels_dense.estimate(case.plain).estimate_us,
        estimate_us=roofline_us(case.read_bytes, memory_share=GATHER_SHARE),
        once_us=roofline_us(case.once_bytes, memory_share=GATHER_SHARE),
    )


@dataclass(frozen=True)
class Upkeep:
    """Of one call of `append_tokens`; bytes in millions."""

    case: str
    new_mb: float
    """New keys and values, read, and values written: any cache does that"""
    key_mb: float
    """New keys written with components innermost, as any cache does that stores them so"""
    column_mb: float
    """The same with tokens innermost, whole sectors of each component; in their place if keys are stored once"""
    sum_mb: float
    """The sums of the pages that fill, written, and their older values, read"""
    estimate_us: float
    once_us: float


def estimate_append(case: Case, page_size: int = PAGE_SIZE) -> Upkeep:
    """Count the bytes for one case's new tokens, whose values are read once, though they may be summed as well."""
    heads = case.requests * case.kv_heads
    row, before = HEAD_SIZE * TYPE.itemsize, case.tokens - case.queries
    key = heads * case.queries * row
    column = heads * HEAD_SIZE * (-(-case.tokens // SECTOR_TOKENS) - before // SECTOR_TOKENS) * SECTOR_BYTES
    filled = case.tokens // page_size - before // page_size
    older = before % page_size if filled else 0
    sums = heads * (filled * HEAD_SIZE * 4 + older * row)
    return Upkeep(
        case=f"{case.model} append, {case.requests} × {case.queries} of {case.tokens}",
        new_mb=3 * key / 1e6,
        key_mb=key / 1e6,
        column_mb=column / 1e6,
        sum_mb=sums / 1e6,
        estimate_us=roofline_us(4 * key + column + sums, memory_share=GATHER_SHARE),
        once_us=roofline_us(3 * key + column + sums, memory_share=GATHER_SHARE),
    )


def print_table(estimates: list[Estimate], upkeep: list[Upkeep]) -> None:
    """One line a case."""
    columns = "plain MB  columns MB  sums MB  exact MB   once MB  scores MB  plain us       us   times   once us"
    print(f"{'estimates, not measured':44} {columns}")
    for found in estimates:
        print(
            f"{found.case:44} {found.plain_mb:8.1f} {found.column_mb:11.1f} {found.sum_mb:8.1f} {found.exact_mb:9.1f} "
            f"{found.once_mb:9.1f} {found.score_mb:10.1f} {found.plain_us:9.1f} {found.estimate_us:8.1f} "
            f"{found.plain_us / found.estimate_us:7.1f} {found.once_us:9.1f}"
        )
    print(f"{'upkeep for new tokens':44}   new MB     keys MB  columns MB   sums MB       us   once us")
    for kept in upkeep:
        print(
            f"{kept.case:44} {kept.new_mb:8.2f} {kept.key_mb:11.2f} {kept.column_mb:11.2f} {kept.sum_mb:9.2f} "
            f"{kept.estimate_us:8.2f} {kept.once_us:9.2f}"
        )


def main() -> int:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    estimates = [estimate(case) for case in sparq_cases()]
    upkeep = [estimate_append(case) for case in append_cases()]
    if options.json:
        print(json.dumps([*map(asdict, estimates), *map(asdict, upkeep)]))
    else:
        print_table(estimates, upkeep)
    return 0


if __name__ == "__main__":
    sys.exit(main())
