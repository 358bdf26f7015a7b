"""What decoding with a shared prefix must read and multiply, counted from the lists of work that a GPU would follow.

    python benchmarks/kernels_relay.py [--json]

Needs no GPU: groups and work are found on the CPU, cut as for an H200. The estimates are rooflines, not measurements:
the longer of memory at 85 % of MEMORY and matrix products at 60 % of MATRIX, partial results, the list of work, queries
and padded tiles included; plain attention as `kernels_dense.py` has it. `benchmarks/kernels.py` measures the same cases
on a GPU.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass

import kernels_dense
import torch
from kernels_dense import H200, HEAD_SIZE, MATRIX_SHARE, MODELS, PAGE_SIZE, TYPE, Case, roofline_us

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.launching import Gpu
from abaci.backend.kernels.common.tiling import MIN_ROWS
from abaci.backend.kernels.relay.groups import find_groups
from abaci.backend.kernels.relay.policy import RelayPolicy, token_bytes
from abaci.backend.kernels.relay.work import Work, choose_cut, cut_work

SAMPLES = 8
"""Requests that share a problem, where there are problems."""
MEMORY_SHARE = 0.85


@dataclass(frozen=True)
class SharedCase:
    """One layer's decode step: all requests share the prompt, each eight of them a problem; the rest is their own."""

    model: str
    q_heads: int
    kv_heads: int
    requests: int
    prompt: int
    problem: int
    own: int
    policy: None = None
    """No sinks"""

    def __str__(self) -> str:
        return f"{self.model} relay, {self.requests} × ({self.prompt} + {self.problem} + {self.own})"

    @property
    def tokens(self) -> int:
        """Of each request."""
        return self.prompt + self.problem + self.own

    @property
    def read_bytes(self) -> int:
        """Keys and values that must be read, each once."""
        tokens = self.prompt + -(-self.requests // SAMPLES) * self.problem + self.requests * self.own
        return tokens * 2 * self.kv_heads * HEAD_SIZE * TYPE.itemsize

    @property
    def plain(self) -> Case:
        """The same step for who does not know what is shared."""
        return Case(self.model, self.q_heads, self.kv_heads, self.requests, self.tokens)

    @property
    def plain_bytes(self) -> int:
        """Keys and values that are read so."""
        return self.plain.read_bytes


def shared_cases() -> list[SharedCase]:
    """Sizes of Llama 3 8B and Qwen2.5 7B; one with problems, two of few requests, three for plain attention."""
    llama = [(16, 2048, 0, 256), (64, 2048, 0, 256), (64, 2048, 0, 1024), (256, 2048, 0, 256), (256, 2048, 0, 1024)]
    llama += [(64, 8192, 0, 512), (256, 8192, 0, 512), (64, 32768, 0, 512), (64, 2048, 512, 256)]
    llama += [(4, 2048, 0, 256), (8, 2048, 0, 256), (4, 1024, 0, 256), (16, 128, 0, 1024), (2, 2048, 0, 256)]
    qwen = [(64, 2048, 0, 256), (64, 2048, 0, 1024), (256, 2048, 0, 256), (256, 2048, 0, 1024), (256, 8192, 0, 512)]
    return [SharedCase(*model, *size) for model, sizes in zip(MODELS, (llama, qwen), strict=True) for size in sizes]


def make_shared_batch(case: SharedCase, device: torch.device) -> PagedBatch:
    """Random tensors, pages in random order; without memory for keys and values on the CPU, which only counts them."""
    prompt, problem, own = (-(-tokens // PAGE_SIZE) for tokens in (case.prompt, case.problem, case.own))
    problems = -(-case.requests // SAMPLES)
    count = prompt + problems * problem + case.requests * own
    pages = torch.randperm(count, device=device).to(torch.int32)
    first, second, third = pages.split((prompt, problems * problem, case.requests * own))
    seconds = second.view(problems, problem).repeat_interleave(SAMPLES, 0)[: case.requests]
    table = torch.cat((first.expand(case.requests, -1), seconds, third.view(case.requests, own)), 1)
    if device.type == "cpu":
        cache = torch.empty(1, dtype=TYPE).expand(count, PAGE_SIZE, 2, case.kv_heads, HEAD_SIZE)
    else:
        cache = torch.randn(count, PAGE_SIZE, 2, case.kv_heads, HEAD_SIZE, dtype=TYPE, device=device)
    q = torch.randn(case.requests, case.q_heads, HEAD_SIZE, dtype=TYPE, device=device)
    lens = torch.full((case.requests,), case.tokens, dtype=torch.int32, device=device)
    starts = torch.arange(case.requests + 1, dtype=torch.int32, device=device)
    return PagedBatch(q, cache[:, :, 0], cache[:, :, 1], table.contiguous(), lens, starts, max_query_len=1)


@dataclass(frozen=True)
class Estimate:
    """Of one call; bytes in millions, operations in thousand millions."""

    case: str
    is_shared: bool
    """Whether the policy lets it"""
    plain_mb: float
    read_mb: float
    """By the list of work, each tile of keys once however many blocks of queries meet it"""
    partial_mb: float
    """Partial results, written and read"""
    list_mb: float
    """The list of work, read; its counters are not in it"""
    query_mb: float
    """Queries and results"""
    giga_operations: float
    programs: int
    idle_programs: int
    plain_us: float
    """Plain attention"""
    estimate_us: float

    @property
    def moved_mb(self) -> float:
        """All that memory must move."""
        return self.read_mb + self.partial_mb + self.list_mb + self.query_mb


def estimate(case: SharedCase, policy: RelayPolicy | None = None, gpu: Gpu = H200) -> Estimate:
    """Count the list of work of one case; without one, what plain attention takes."""
    policy = policy or RelayPolicy()
    batch = make_shared_batch(case, torch.device("cpu"))
    plain = kernels_dense.estimate(case.plain, gpu)
    if not policy.can_pay(batch):
        return unshared(case, plain)
    groups, cut = find_groups(batch, policy), choose_cut(batch, gpu)
    work = cut_work(batch, policy, groups, cut)
    _, queries, request, begin, end, _, is_final = work.items[work.items[:, 1] > 0].long().unbind(1)
    # Blocks of a group that meet the same keys find them in the cache, all but the first.
    met = torch.stack((request, begin, end), 1).unique(dim=0)
    read = int((met[:, 2] - met[:, 1]).sum()) * token_bytes(batch)
    partial = int(queries[is_final == 0].sum()) * case.q_heads * (HEAD_SIZE + 1) * 4 * 2
    rows = torch.where(queries * batch.group <= MIN_ROWS, MIN_ROWS, cut.tiling.block_m)
    tiles = -(-end // cut.tiling.tile) - begin // cut.tiling.tile
    operations = int((rows * tiles).sum()) * cut.tiling.tile * case.kv_heads * HEAD_SIZE * 4
    moved = read + partial + list_bytes(work) + case.plain.query_bytes
    programs = len(queries) * case.kv_heads
    return Estimate(
        case=str(case),
        is_shared=bool(groups.ends.any()),
        plain_mb=plain.read_mb,
        read_mb=read / 1e6,
        partial_mb=partial / 1e6,
        list_mb=list_bytes(work) / 1e6,
        query_mb=plain.query_mb,
        giga_operations=operations / 1e9,
        programs=programs,
        idle_programs=len(work.items) * case.kv_heads - programs,
        plain_us=plain.estimate_us,
        estimate_us=roofline_us(moved, operations, MEMORY_SHARE, MATRIX_SHARE),
    )


def unshared(case: SharedCase, plain: kernels_dense.Estimate) -> Estimate:
    """Without a list of work the operation is plain attention."""
    return Estimate(
        case=str(case),
        is_shared=False,
        plain_mb=plain.read_mb,
        read_mb=plain.read_mb,
        partial_mb=plain.partial_mb,
        list_mb=0,
        query_mb=plain.query_mb,
        giga_operations=plain.giga_operations,
        programs=plain.programs,
        idle_programs=0,
        plain_us=plain.estimate_us,
        estimate_us=plain.estimate_us,
    )


def list_bytes(work: Work) -> int:
    """All of it: who finds that it has no work has read as much."""
    return sum(numbers.nbytes for numbers in (work.tokens, work.positions, work.items, work.parts))


def main() -> int:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    estimates = [estimate(case) for case in shared_cases()]
    if options.json:
        print(json.dumps([asdict(found) for found in estimates]))
        return 0
    columns = "shared  plain MB   read MB  partial MB list MB query MB    Gop programs  idle  plain us       us"
    print(f"{'estimates, not measured':48} {columns}")
    for found in estimates:
        print(
            f"{found.case:48} {'yes' if found.is_shared else 'no':>6} {found.plain_mb:9.1f} {found.read_mb:9.1f} "
            f"{found.partial_mb:11.1f} {found.list_mb:7.3f} {found.query_mb:8.1f} {found.giga_operations:6.1f} "
            f"{found.programs:8} {found.idle_programs:5} {found.plain_us:9.1f} {found.estimate_us:8.1f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
