"""Measure each row of this GPU's table of tilings against its neighbours, and write the table anew.

    python benchmarks/kernels.py --tune [dense | turned | relay | estimate]

A neighbour differs in one number: twice or half the rows, keys, warps, or other stages. It must give what the row's own
tiling gives, and be a fiftieth faster. The table is written after each row, and called again it goes on from that. Each
candidate compiles for about three seconds: some 12 minutes for all, on one GPU.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch
from kernels_baselines import Call
from kernels_sparq import indexed

from abaci.backend.kernels.common import op as dense
from abaci.backend.kernels.common.batch import PagedBatch, allocate
from abaci.backend.kernels.common.launching import Gpu, Plan, gpu_of, plan
from abaci.backend.kernels.common.tables import row as table_module
from abaci.backend.kernels.common.tables.choose import table_of
from abaci.backend.kernels.common.tables.row import ANY, Row, Table
from abaci.backend.kernels.common.tiling import MIN_ROWS, Tiling
from abaci.backend.kernels.relay import op as relay
from abaci.backend.kernels.relay.policy import RelayPolicy
from abaci.backend.kernels.relay.search.launching import search
from abaci.backend.kernels.relay.work import choose_cut
from abaci.backend.kernels.sink import op as sink
from abaci.backend.kernels.sink.policy import Rotary, SinkWindow
from abaci.backend.kernels.sparq.launching import SparqLaunch, plan_sparq
from abaci.backend.kernels.sparq.policy import Sparq

FASTER = 0.98
"""Of the present time: less is noise."""
CACHES = 4
PAGE_SIZE, SPARQ_PAGE_SIZE = 16, 128
HEADERS = {8: "for Ampere and Ada, compute capability 8;", 9: "for Hopper and later, compute capability 9 and up;"}
TOLERANCES = {16: 1.6e-2, 32: 1e-4}
"""By bits of a number, times the size of the answers"""


@dataclass(frozen=True)
class Sizes:
    """Of the batch that a row is measured on."""

    requests: int
    tokens: int
    queries: int
    """Of each request"""
    group: int
    shared: int = 0
    """Of the tokens, those that all requests share"""
    page_size: int = PAGE_SIZE
    kv_heads: int = 8


def sizes_of(row: Row) -> Sizes:
    """A batch that is typical for the row."""
    if row.kernel == "relay":
        return Sizes(64, 2304, 1, 4, shared=2048)
    if row.kernel == "estimate":
        return Sizes(8, 32768, 1, 4, page_size=SPARQ_PAGE_SIZE)
    if row.rows == ANY:
        return Sizes(4, 4096, 512, 4)
    return Sizes(32, 4096, 1 if row.rows == MIN_ROWS else row.rows // 8, 4 if row.rows == MIN_ROWS else 8)


def make_batch(row: Row, sizes: Sizes, device: torch.device) -> PagedBatch:
    """Random tensors, pages in random order."""
    dtype = torch.bfloat16 if row.bits == 16 else torch.float32
    columns = -(-sizes.tokens // sizes.page_size)
    count = sizes.requests * columns
    cache = torch.randn(2, count, sizes.page_size, sizes.kv_heads, row.head_size, dtype=dtype, device=device)
    table = torch.randperm(count, device=device).to(torch.int32).view(sizes.requests, columns)
    table[:, : sizes.shared // sizes.page_size] = table[0, : sizes.shared // sizes.page_size].clone()
    size = (sizes.requests * sizes.queries, sizes.kv_heads * sizes.group, row.head_size)
    lens = torch.full((sizes.requests,), sizes.tokens, dtype=torch.int32, device=device)
    starts = torch.arange(sizes.requests + 1, dtype=torch.int32, device=device) * sizes.queries
    q = torch.randn(size, dtype=dtype, device=device)
    return PagedBatch(q, cache[0], cache[1], table, lens, starts, sizes.queries)


def call_of(row: Row, batch: PagedBatch, gpu: Gpu) -> Call:
    """The row's kernel over this batch, by the row's tiling."""
    result, scale = allocate(batch, None), batch.head_size**-0.5
    if row.kernel == "relay":
        policy = RelayPolicy(min_saved_bytes=0, min_tokens=PAGE_SIZE)
        cut = replace(choose_cut(batch, gpu), tiling=row.tiling)
        sharing = relay.start_sharing(batch, *search(batch, policy, cut))
        return filling(result.out, lambda: relay.launch(batch, sharing, scale, result, cut))
    if row.kernel == "estimate":
        sparq = Sparq(min(row.rows, batch.head_size), 128, 32, dense_tokens=0)
        whole = replace(plan_sparq(batch, sparq, gpu), estimate=row.tiling)
        launch = SparqLaunch(batch, sparq, indexed(batch), scale, whole)
        return filling(result.out, lambda: launch.run(result.out))
    if row.kernel in ("sinks", "turned"):
        pairs = batch.head_size // 2
        frequencies = 10000.0 ** (-torch.arange(pairs, device=batch.q.device) / pairs)
        window = SinkWindow(4, 1020, "cache" if row.kernel == "turned" else "absolute", Rotary(frequencies))
        both = Plan(row.tiling, plan(batch, gpu, window.size + batch.max_query_len, row.kernel).splits)
        return filling(result.out, lambda: sink.launch(batch, window, scale, None, result, both))
    straight = Plan(row.tiling, plan(batch, gpu).splits)
    return filling(result.out, lambda: dense.launch(batch, scale, None, result, straight))


def filling(out: torch.Tensor, launch: Callable[[], object]) -> Call:
    """A call that gives what the launch fills."""

    def call() -> torch.Tensor:
        launch()
        return out

    return call


def neighbours(row: Row) -> Iterator[Tiling]:
    """Tilings that differ in one number."""
    own = row.tiling
    if row.rows > MIN_ROWS and row.kernel in ("dense", "sinks", "turned"):
        yield from (replace(own, block_m=size) for size in (own.block_m // 2, own.block_m * 2) if 16 <= size <= 128)
    yield from (replace(own, tile=size) for size in (own.tile // 2, own.tile * 2) if 16 <= size <= 128)
    yield from (replace(own, warps=warps) for warps in (4, 8) if warps != own.warps)
    yield from (replace(own, stages=stages) for stages in (2, 3, 5, 7) if stages != own.stages)


def best(row: Row, batches: list[PagedBatch], gpu: Gpu, clock: Callable[[list[Call]], list[float]]) -> Row:
    """The row with the fastest tiling; its own if no other is clearly faster."""
    from triton.errors import TritonError

    right = call_of(row, batches[0], gpu)().clone()
    found, least = row, statistics.median(clock([call_of(row, batch, gpu) for batch in batches]))
    print(f"{row}: {least:.1f} us", flush=True)
    least *= FASTER
    for tiling in neighbours(row):
        other = replace(row, tiling=tiling)
        try:
            calls = [call_of(other, batch, gpu) for batch in batches]
            if not is_close(calls[0](), right, TOLERANCES[row.bits]):
                print(f"  {tiling}: WRONG", flush=True)
                continue
            us = statistics.median(clock(calls))
        except (TritonError, RuntimeError) as error:
            # What the compiler, the assembler or the GPU does not take, each says in its own way.
            print(f"  {tiling}: {type(error).__name__}", flush=True)
            continue
        print(f"  {tiling}: {us:.1f} us", flush=True)
        if us < least:
            found, least = other, us
    return found


def is_close(out: torch.Tensor, right: torch.Tensor, tolerance: float) -> bool:
    """Within `tolerance` of the answers' size."""
    return torch.allclose(out, right, atol=tolerance * float(right.std()), rtol=tolerance)


def render(table: Table, capability: int) -> str:
    """The module that holds this table."""
    lines = [f"        {render_row(row)},\n" for row in table.rows]
    return (
        f'"""Tilings {HEADERS[capability]} `python benchmarks/kernels.py --tune` writes this file."""\n\n'
        "from __future__ import annotations\n\n"
        "from abaci.backend.kernels.common.tables.row import ANY, Row, Table\n"
        "from abaci.backend.kernels.common.tiling import Tiling\n\n"
        f'TABLE = Table(\n    origin="{table.origin}",\n    rows=(\n{"".join(lines)}    ),\n)\n'
    )


def render_row(row: Row) -> str:
    """As it stands in the module."""
    tiling, rows = row.tiling, "ANY" if row.rows == ANY else row.rows
    limit = "" if tiling.registers is None else f", registers={tiling.registers}"
    numbers = f"{tiling.block_m}, {tiling.tile}, warps={tiling.warps}, stages={tiling.stages}{limit}"
    return f'Row("{row.kernel}", {row.bits}, {row.head_size}, {rows}, Tiling({numbers}))'


def path_of(capability: int) -> Path:
    """Where the table of this architecture lies."""
    return Path(table_module.__file__).with_name("sm90.py" if capability >= 9 else "sm80.py")


def tune(kernel: str, clock: Callable[[list[Call]], list[float]]) -> int:
    """Measure the rows of this kernel, or all, and write the table."""
    device = torch.device("cuda")
    properties = torch.cuda.get_device_properties(device)
    table = table_of(properties.major)
    if kernel not in {"", *(row.kernel for row in table.rows)}:
        print(f"no rows for {kernel!r}", file=sys.stderr)
        return 2
    where = f"{properties.name}, {datetime.now(UTC):%Y-%m-%d}, triton {version('triton')}"
    rows = list(table.rows)
    text = ""
    for at, row in enumerate(table.rows):
        if kernel in ("", row.kernel):
            batches = [make_batch(row, sizes_of(row), device) for _ in range(CACHES)]
            rows[at] = best(row, batches, gpu_of(batches[0]), clock)
            about = f"{kernel or 'all'} up to row {at + 1} of {len(rows)} measured on {where}"
            text = render(Table(about, tuple(rows)), 9 if properties.major >= 9 else 8)
            path_of(properties.major).write_text(text)
    print(text)
    return 0
