"""What dense attention, and attention over sinks and a window, must move and multiply, and how long that takes.

    python benchmarks/kernels_dense.py [--json]

Needs no GPU. The rooflines, of decode steps and of prefills, are the longer of the bytes at MEMORY and the matrix
products at MATRIX; the estimates are the same at the shares of both that kernels reach, bytes at 92 %, with sinks and
window at 90 %, products at 60 %. Partial results of split keys are included; launches and exponentials are not, and
neither was measured. `benchmarks/kernels.py` measures the decode steps and `measured_prefills` on a GPU.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.launching import Gpu, Plan, plan
from abaci.backend.kernels.common.tiling import Tiling
from abaci.backend.kernels.sink.op import kernel_of
from abaci.backend.kernels.sink.policy import Rotary, SinkWindow

HEAD_SIZE, PAGE_SIZE, TYPE = 128, 16, torch.bfloat16
MODELS = (("Llama-3-8B", 32, 8), ("Qwen2.5-7B", 28, 4))
"""Name, query heads, key-value heads"""
H200 = Gpu(capability=9, processors=132)
MEMORY = 4.3e12
"""Bytes a second that a copy reaches on an H200."""
MATRIX = 790e12
"""Operations a second, sums and products, that a large product of dense matrices in bfloat16 reaches on an H200, whose
data sheet says 989e12."""
DENSE_SHARE, SINK_SHARE, MATRIX_SHARE = 0.92, 0.90, 0.60


def roofline_us(moved_bytes: float, operations: float = 0, memory_share: float = 1, matrix_share: float = 1) -> float:
    """Microseconds that it takes at least, where memory and matrix products reach such shares of MEMORY and MATRIX."""
    return max(moved_bytes / (MEMORY * memory_share), operations / (MATRIX * matrix_share)) * 1e6


@dataclass(frozen=True)
class Case:
    """One layer: each request's last `queries` tokens attend, one in a decode step, all of a prompt in its prefill."""

    model: str
    q_heads: int
    kv_heads: int
    requests: int
    tokens: int
    policy: SinkWindow | None = None
    queries: int = 1
    """Of each request"""

    def __str__(self) -> str:
        kind = "dense" if self.policy is None else f"sinks + window of {self.policy.size}"
        size = f"{self.tokens}" if self.queries == 1 else f"{self.queries} of {self.tokens}"
        return f"{self.model} {kind}, {self.requests} × {size}"

    @property
    def group(self) -> int:
        """Query heads of one key-value head."""
        return self.q_heads // self.kv_heads

    @property
    def seen(self) -> int:
        """Tokens of each request that any of its queries sees."""
        return self.tokens if self.policy is None else min(self.tokens, self.policy.size + self.queries - 1)

    @property
    def read_bytes(self) -> int:
        """Keys and values that must be read, each once."""
        return self.requests * self.seen * self.kv_heads * HEAD_SIZE * TYPE.itemsize * 2

    @property
    def query_bytes(self) -> int:
        """Queries, read, and results and log-sum-exps, written."""
        return self.requests * self.queries * self.q_heads * (2 * HEAD_SIZE * TYPE.itemsize + 4)

    @property
    def plain_bytes(self) -> int:
        """Likewise: there is no plainer way."""
        return self.read_bytes


def rotary(device: torch.device) -> Rotary:
    """Llama's."""
    return Rotary(500000.0 ** (-torch.arange(HEAD_SIZE // 2, device=device) / (HEAD_SIZE // 2)))


def dense_cases(device: torch.device) -> list[Case]:
    """Decode steps, in the sizes of Llama 3 8B and Qwen2.5 7B."""
    dense = [(1, 1024), (1, 32768), (8, 8192), (12, 8192), (32, 4096), (64, 2304)]
    sinks = [(1, 1024), (64, 1024), (64, 4096), (256, 1024)]
    turning = rotary(device)
    return [
        Case(*model, requests, tokens, policy)
        for model in MODELS
        for requests, tokens, policy in (
            *((requests, tokens, None) for requests, tokens in dense),
            *((requests, 8192, SinkWindow(4, size - 4, "cache", turning)) for requests, size in sinks),
        )
    ]


def prefill_cases(device: torch.device) -> list[Case]:
    """Prompts, whole and in part; one window for all."""
    sizes = [(1, 2048, 2048), (8, 2048, 2048), (1, 8192, 8192), (1, 2048, 32768), (1, 32768, 32768)]
    window = SinkWindow(4, 1020, "cache", rotary(device))
    return [
        Case(*model, requests, tokens, policy, queries)
        for model in MODELS
        for policy in (None, window)
        for requests, queries, tokens in sizes
    ]


def measured_prefills(device: torch.device) -> list[Case]:
    """Of Llama, a short prompt and a long one, and a long one's last part: dense, and over sinks and a window."""
    llama = (case for case in prefill_cases(device) if case.model == MODELS[0][0])
    return [case for case in llama if case.requests == 1 and case.queries <= 8192]


def make_batch(case: Case, device: torch.device) -> PagedBatch:
    """Random tensors, pages in random order."""
    pages_each = -(-case.tokens // PAGE_SIZE)
    count = case.requests * pages_each
    cache = torch.randn(count, PAGE_SIZE, 2, case.kv_heads, HEAD_SIZE, dtype=TYPE, device=device)
    table = torch.randperm(count, device=device).to(torch.int32).view(case.requests, pages_each)
    q = torch.randn(case.requests * case.queries, case.q_heads, HEAD_SIZE, dtype=TYPE, device=device)
    lens = torch.full((case.requests,), case.tokens, dtype=torch.int32, device=device)
    starts = torch.arange(case.requests + 1, dtype=torch.int32, device=device) * case.queries
    return PagedBatch(q, cache[:, :, 0], cache[:, :, 1], table, lens, starts, case.queries)


def cut(case: Case, batch: PagedBatch, gpu: Gpu) -> Plan:
    """As the operation cuts it."""
    if case.policy is None:
        return plan(batch, gpu)
    return plan(batch, gpu, case.policy.size + case.queries, kernel_of(case.policy))


def blocks(case: Case, tiling: Tiling) -> Iterator[tuple[int, int]]:
    """Of each block of rows of a request and key-value head: the keys that its programs load, and their tiles.

    Tiles are multiplied whole: also those that the diagonal, the window or the sinks cut.
    """
    before, rows = case.tokens - case.queries, case.queries * case.group
    n_sinks, window = (0, case.tokens) if case.policy is None else (case.policy.n_sinks, case.policy.window)
    for first in range(0, rows, tiling.block_m):
        end = before + (min(first + tiling.block_m, rows) - 1) // case.group + 1
        sinks, start = min(n_sinks, end), max(n_sinks, before + first // case.group - window + 1)
        tiles = -(-end // tiling.tile) - start // tiling.tile if start < end else 0
        yield sinks + max(end - start, 0), -(-sinks // tiling.tile) + tiles


@dataclass(frozen=True)
class Estimate:
    """Of one call; bytes in millions, operations in thousand millions."""

    case: str
    read_mb: float
    """Keys and values, each once however many blocks of rows meet them: all but the first find them in the cache"""
    loaded_mb: float
    """As often as they are met"""
    partial_mb: float
    """Partial results of split keys, written and read; all of them, those of splits without a key included"""
    query_mb: float
    giga_operations: float
    splits: int
    programs: int
    roofline_us: float
    estimate_us: float

    @property
    def moved_mb(self) -> float:
        """All that memory must move."""
        return self.read_mb + self.partial_mb + self.query_mb


def estimate(case: Case, gpu: Gpu = H200) -> Estimate:
    """Count one case's bytes and operations, from the cut that the operation chooses."""
    chosen = cut(case, make_batch(case, torch.device("meta")), gpu)
    splits, tiling, heads = chosen.splits, chosen.tiling, case.requests * case.kv_heads
    keys, tiles = zip(*blocks(case, tiling), strict=True)
    partial = splits * case.requests * case.queries * case.q_heads * (HEAD_SIZE + 1) * 4 * 2 if splits > 1 else 0
    moved = case.read_bytes + partial + case.query_bytes
    operations = heads * sum(tiles) * tiling.block_m * tiling.tile * HEAD_SIZE * 4
    share = DENSE_SHARE if case.policy is None else SINK_SHARE
    return Estimate(
        case=str(case),
        read_mb=case.read_bytes / 1e6,
        loaded_mb=heads * sum(keys) * HEAD_SIZE * TYPE.itemsize * 2 / 1e6,
        partial_mb=partial / 1e6,
        query_mb=case.query_bytes / 1e6,
        giga_operations=operations / 1e9,
        splits=splits,
        programs=splits * heads * len(keys),
        roofline_us=roofline_us(moved, operations),
        estimate_us=roofline_us(moved, operations, share, MATRIX_SHARE),
    )


def main() -> int:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cpu = torch.device("cpu")
    estimates = [estimate(case) for case in (*dense_cases(cpu), *prefill_cases(cpu))]
    if options.json:
        print(json.dumps([asdict(found) for found in estimates]))
        return 0
    columns = " read MB loaded MB  partial MB query MB      Gop splits programs roofline us estimate us"
    print(f"{'estimates, not measured':54} {columns}")
    for found in estimates:
        print(
            f"{found.case:54} {found.read_mb:8.1f} {found.loaded_mb:9.1f} {found.partial_mb:11.2f} "
            f"{found.query_mb:8.1f} {found.giga_operations:8.1f} {found.splits:6} {found.programs:8} "
            f"{found.roofline_us:11.1f} {found.estimate_us:11.1f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
