"""What dense attention, and attention over sinks and a window, must read in a decode step, and how long that takes.

    python benchmarks/kernels_dense.py [--json]

Needs no GPU. The estimates are rooflines, not measurements: bytes at 92 % of what a copy reaches on an H200, with sinks
and window at 90 %, partial results of split keys included, launches not. `benchmarks/kernels.py` measures the same on a
GPU.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass

import torch

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.launching import Gpu, Plan, plan
from abaci.backend.kernels.sink.policy import Rotary, SinkWindow

HEAD_SIZE, PAGE_SIZE, TYPE = 128, 16, torch.bfloat16
H200 = Gpu(capability=9, processors=132)
MEMORY = 4.3e12
"""Bytes a second that a copy reaches on an H200."""
DENSE_SHARE, SINK_SHARE = 0.92, 0.90


@dataclass(frozen=True)
class Case:
    """One layer's decode step: every request has one query."""

    model: str
    q_heads: int
    kv_heads: int
    requests: int
    tokens: int
    policy: SinkWindow | None = None

    def __str__(self) -> str:
        kind = "dense" if self.policy is None else f"sinks + window of {self.policy.size}"
        return f"{self.model} {kind}, {self.requests} × {self.tokens}"

    @property
    def seen(self) -> int:
        """Tokens of each request that its query sees."""
        return self.tokens if self.policy is None else min(self.tokens, self.policy.size)

    @property
    def read_bytes(self) -> int:
        """Keys and values that must be read."""
        return self.requests * self.seen * self.kv_heads * HEAD_SIZE * TYPE.itemsize * 2

    @property
    def plain_bytes(self) -> int:
        """Likewise: there is no plainer way."""
        return self.read_bytes


def dense_cases(device: torch.device) -> list[Case]:
    """Sizes of Llama 3 8B and Qwen2.5 7B."""
    rotary = Rotary(500000.0 ** (-torch.arange(HEAD_SIZE // 2, device=device) / (HEAD_SIZE // 2)))
    dense = [(1, 1024), (1, 32768), (8, 8192), (12, 8192), (32, 4096), (64, 2304)]
    sinks = [(1, 1024), (64, 1024), (64, 4096), (256, 1024)]
    return [
        Case(model, q_heads, kv_heads, requests, tokens, policy)
        for model, q_heads, kv_heads in (("Llama-3-8B", 32, 8), ("Qwen2.5-7B", 28, 4))
        for requests, tokens, policy in (
            *((requests, tokens, None) for requests, tokens in dense),
            *((requests, 8192, SinkWindow(4, size - 4, "cache", rotary)) for requests, size in sinks),
        )
    ]


def make_batch(case: Case, device: torch.device) -> PagedBatch:
    """Random tensors, pages in random order."""
    pages_each = -(-case.tokens // PAGE_SIZE)
    count = case.requests * pages_each
    cache = torch.randn(count, PAGE_SIZE, 2, case.kv_heads, HEAD_SIZE, dtype=TYPE, device=device)
    table = torch.randperm(count, device=device).to(torch.int32).view(case.requests, pages_each)
    q = torch.randn(case.requests, case.q_heads, HEAD_SIZE, dtype=TYPE, device=device)
    lens = torch.full((case.requests,), case.tokens, dtype=torch.int32, device=device)
    starts = torch.arange(case.requests + 1, dtype=torch.int32, device=device)
    return PagedBatch(q, cache[:, :, 0], cache[:, :, 1], table, lens, starts, max_query_len=1)


def cut(case: Case, batch: PagedBatch, gpu: Gpu) -> Plan:
    """As the operation cuts it."""
    if case.policy is None:
        return plan(batch, gpu)
    return plan(batch, gpu, case.policy.size + 1, turns_queries=case.policy.positions == "cache")


@dataclass(frozen=True)
class Estimate:
    """Of one call; bytes in millions."""

    case: str
    read_mb: float
    partial_mb: float
    """Partial results of split keys, written and read; all of them, those of splits without a key included"""
    splits: int
    programs: int
    estimate_us: float


def estimate(case: Case, gpu: Gpu = H200) -> Estimate:
    """Count one case's bytes, from the cut that the operation chooses."""
    pages_each = -(-case.tokens // PAGE_SIZE)
    with torch.device("meta"):
        pages = torch.empty(1, PAGE_SIZE, case.kv_heads, HEAD_SIZE, dtype=TYPE)
        q = torch.empty(case.requests, case.q_heads, HEAD_SIZE, dtype=TYPE)
        table, lens = torch.empty(case.requests, pages_each, dtype=torch.int32), torch.empty(case.requests).int()
        batch = PagedBatch(q, pages, pages, table, lens, torch.empty(case.requests + 1).int(), max_query_len=1)
    splits = cut(case, batch, gpu).splits
    partial = splits * case.requests * case.q_heads * (HEAD_SIZE + 1) * 4 * 2 if splits > 1 else 0
    share = DENSE_SHARE if case.policy is None else SINK_SHARE
    return Estimate(
        case=str(case),
        read_mb=case.read_bytes / 1e6,
        partial_mb=partial / 1e6,
        splits=splits,
        programs=splits * case.requests * case.kv_heads,
        estimate_us=(case.read_bytes + partial) / (MEMORY * share) * 1e6,
    )


def main() -> int:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    estimates = [estimate(case) for case in dense_cases(torch.device("cpu"))]
    if options.json:
        print(json.dumps([asdict(found) for found in estimates]))
        return 0
    print(f"{'estimates, not measured':48}  read MB  partial MB splits programs       us")
    for found in estimates:
        print(
            f"{found.case:48} {found.read_mb:8.1f} {found.partial_mb:11.2f} {found.splits:6} {found.programs:8} "
            f"{found.estimate_us:8.1f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
