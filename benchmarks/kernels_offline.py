"""Compile every variant of the attention kernels for Ampere and Hopper, without a GPU, and print what came out.

    python benchmarks/kernels_offline.py [--json] [--only NAME] [--full]

The launches are the real ones, with tensors that have shapes but no memory: Triton specialises as it would on the GPU,
compiles with the assembler it carries, and nothing runs. Exits with 1 if a variant spills registers, asks for more of
them or of shared memory than the chip has, loads elements one by one or without asynchronous copies of 16 bytes, or
multiplies tiles of 64 rows or more on Hopper without wgmma. Registers and bytes say that a kernel fits its chip, not
how fast it is. With --json the table is printed on stderr.

With --full every head size meets every group, and both all page sizes and types: some 600 launches, for a change of the
tables. Another Triton is tried with PYTHONPATH=DIR after `pip install --no-deps --target DIR triton==VERSION`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TextIO

os.environ.pop("TRITON_INTERPRET", None)
os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction

from abaci.backend.kernels.common import op as dense
from abaci.backend.kernels.common.batch import Attended, PagedBatch, allocate
from abaci.backend.kernels.common.launching import Gpu, plan
from abaci.backend.kernels.common.tiling import MIN_ROWS
from abaci.backend.kernels.relay import op as relay
from abaci.backend.kernels.relay.policy import RelayPolicy
from abaci.backend.kernels.relay.search.launching import allocate as allocate_sharing
from abaci.backend.kernels.relay.search.launching import search
from abaci.backend.kernels.relay.work import choose_cut
from abaci.backend.kernels.sink import op as sink
from abaci.backend.kernels.sink.policy import Rotary, SinkWindow
from abaci.backend.kernels.sparq.launching import SparqLaunch, append, plan_sparq
from abaci.backend.kernels.sparq.policy import Sparq, make_index, transposed_pages

CHIPS = {80: Gpu(8, 108), 90: Gpu(9, 132)}
SHARED_BYTES = {80: 163 << 10, 90: 227 << 10}
"""What one program may have of shared memory, by compute capability."""
REGISTERS = 65536
"""Of a processor, and so of a program at most."""
MAX_WORDS = 12
"""Single 32-bit numbers that a thread loads in any kernel: lengths, and the pages of the keys that it copies."""
MAX_LIST_WORDS = 32
"""Of relay attention, its list of work and where partial results lie; and one more for every 16 numbers of a head."""
REPEATED_CANDIDATES = 2048
"""SparQ looks at all candidates at once for the threshold, and by so many again for those above it."""
MAX_CHOSEN_HALVES = 4
"""A thread's share of the components that SparQ chooses of a query: they lie anywhere in it."""
MAX_LOGIT_HALVES = 8
"""A thread's rows, each with a learned logit."""
NO_TILES = {"merge_splits_kernel", "mix_splits_kernel", "narrow_kernel", "append_kernel"}
NO_TILES |= {"find_level_kernel", "place_kernel", "share_kernel", "list_kernel"}
"""Kernels that multiply nothing."""
HEAD_SIZES = (64, 80, 96, 128, 256)
PAGE_SIZES = (16, 32, 64, 128, 256)
PHASES = (
    ("dense", "decode"),
    ("dense", "prefill"),
    ("sink", "decode"),
    ("sink", "prefill"),
    ("relay", "decode"),
    ("sparq", "decode"),
    ("sparq", "append"),
)
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
Kind = Literal["usual", "starts", "absolute", "gptj", "partial", "once", "pages"]
"""What is asked of an operation beside its shapes. Of dense attention: `starts` before which tokens are left out. Of
sinks: `absolute` positions, pairs as in GPT-J, or half of a head rotated. Of SparQ: keys stored `once`, with tokens
innermost, or in ordinary `pages` alone."""


@dataclass(frozen=True)
class Variant:
    """One launch to compile."""

    kernel: str
    phase: str
    dtype: str
    head_size: int
    page_size: int
    requests: int
    capability: int
    group: int = 4
    kind: Kind = "usual"

    def __str__(self) -> str:
        shape = f"{self.dtype:4} D={self.head_size:<3} P={self.page_size:<3} G={self.group} B={self.requests:<2}"
        return f"sm_{self.capability} {self.kernel:6} {self.phase:7} {shape} {self.kind}"


@dataclass(frozen=True)
class Compiled:
    """What the assembler made of one kernel of a launch."""

    name: str
    rows: int
    """Of a tile that is multiplied"""
    warps: int
    registers: int
    """Of a thread"""
    stack_bytes: int
    shared_bytes: int
    wgmma: int
    mma: int
    async_copies: int
    wide_copies: int
    """Of them, of 16 bytes a thread; the others bring a page or a place in a list, one 32-bit number each"""
    halves: int
    """Loads of one 16-bit number: an element of queries, keys or values that was not loaded with its neighbours"""
    words: int
    """Loads of one 32-bit number: lengths, pages, lists, and elements that were not loaded with their neighbours"""
    candidates: int
    """Among which SparQ's attention chooses"""


def variants() -> Iterator[Variant]:
    """A covering set: each kernel and phase with each head size, and with each type, page size and way of splitting."""
    for capability in CHIPS:
        for size in HEAD_SIZES:
            yield Variant("dense", "decode", "bf16", size, 16, 2, capability)
            yield Variant("dense", "decode", "fp16", size, 64, 64, capability, group=7)
            yield Variant("dense", "prefill", "bf16", size, 16 if size in (64, 128) else 256, 4, capability)
            yield Variant("dense", "prefill" if size in (64, 128) else "decode", "fp32", size, 32, 2, capability)
            yield Variant("sink", "decode", "bf16", size, 64 if size in (80, 256) else 16, 2, capability)
            yield Variant("sink", "prefill", "fp16", size, 16 if size in (80, 256) else 64, 4, capability, group=7)
            yield Variant("relay", "decode", "bf16", size, 64 if size in (80, 256) else 16, 64, capability)
            yield Variant("sparq", "decode", "bf16", size, 256 if size in (64, 128) else 16, 8, capability)
            yield Variant("sparq", "decode", "fp16", size, 16 if size in (64, 128) else 64, 64, capability, group=7)
            yield Variant("sparq", "append", "bf16", size, 64, 8, capability, group=8)
        yield Variant("sparq", "decode", "bf16", 128, 64, 1, capability)
        yield Variant("sparq", "decode", "fp32", 128, 32, 8, capability)
        yield Variant("sparq", "decode", "fp32", 80, 64, 64, capability, group=1)
        yield Variant("sparq", "decode", "fp32", 256, 64, 1, capability)
        yield Variant("relay", "search", "bf16", 128, 16, 64, capability)
        yield Variant("relay", "search", "fp16", 64, 256, 16, capability, group=7)
        yield Variant("relay", "decode", "fp16", 128, 256, 16, capability, group=7)
        yield Variant("relay", "decode", "fp16", 256, 16, 16, capability, group=7)
        yield Variant("relay", "decode", "fp32", 64, 32, 16, capability, group=1)
        yield Variant("relay", "decode", "fp32", 256, 32, 64, capability)
        yield Variant("sink", "decode", "fp32", 128, 16, 64, capability)
        yield Variant("sink", "prefill", "fp32", 256, 128, 2, capability)
        yield from variants_of_kinds(capability)


def variants_of_kinds(capability: int) -> Iterator[Variant]:
    """Of every kind each type, small and large heads, and for attention decode and prefill."""
    choices: list[tuple[Kind, str, list[tuple[str, str, int, int, int, int]]]] = [
        ("starts", "dense", [("decode", "bf16", 128, 16, 2, 4), ("prefill", "bf16", 256, 16, 4, 4)]),
        ("starts", "dense", [("prefill", "fp16", 64, 64, 4, 7), ("decode", "fp32", 96, 32, 64, 1)]),
        ("absolute", "sink", [("decode", "bf16", 128, 16, 2, 4), ("prefill", "fp16", 256, 16, 4, 7)]),
        ("absolute", "sink", [("prefill", "fp32", 64, 64, 2, 4)]),
        ("gptj", "sink", [("decode", "bf16", 128, 16, 2, 4), ("prefill", "bf16", 256, 64, 4, 4)]),
        ("gptj", "sink", [("prefill", "fp16", 64, 16, 4, 7), ("decode", "fp32", 80, 32, 64, 1)]),
        ("partial", "sink", [("decode", "fp16", 256, 64, 64, 7), ("prefill", "bf16", 96, 16, 4, 4)]),
        ("partial", "sink", [("decode", "fp32", 128, 128, 2, 4)]),
        ("once", "sparq", [("decode", "bf16", 128, 64, 8, 8), ("decode", "fp16", 256, 64, 64, 7)]),
        ("once", "sparq", [("decode", "fp32", 64, 64, 8, 4), ("append", "bf16", 128, 64, 8, 8)]),
        ("pages", "sparq", [("decode", "bf16", 128, 64, 8, 4), ("decode", "fp16", 64, 16, 64, 7)]),
        ("pages", "sparq", [("decode", "fp32", 256, 64, 8, 4), ("append", "fp32", 256, 16, 8, 4)]),
    ]
    for kind, kernel, sizes in choices:
        for phase, dtype, head_size, page_size, requests, group in sizes:
            yield Variant(kernel, phase, dtype, head_size, page_size, requests, capability, group, kind)


def full_variants() -> Iterator[Variant]:
    """Each kernel and phase with each head size and group, and with page sizes and types so that all pairs meet."""
    for capability in CHIPS:
        for kernel, phase in PHASES:
            for d, size in enumerate(HEAD_SIZES):
                for g in range(8):
                    dtype = tuple(TYPES)[(d + 2 * g) % len(TYPES)]
                    requests = 4 if phase in ("prefill", "append") else 64 if (d + g) % 2 else 8
                    page_size = PAGE_SIZES[(d + g) % len(PAGE_SIZES)]
                    yield Variant(kernel, phase, dtype, size, page_size, requests, capability, group=g + 1)


def make_batch(variant: Variant) -> PagedBatch:
    """Tensors without memory, of sizes that a server has."""
    kv_heads, capacity = 8, 8192
    if variant.kernel == "sparq":
        capacity = 131072 if variant.requests == 1 else 32768
    query_len = 512 if variant.phase in ("prefill", "append") else 1
    with torch.device("meta"):
        pages = torch.empty(4096, variant.page_size, 2, kv_heads, variant.head_size, dtype=TYPES[variant.dtype])
        q = torch.empty(variant.requests * query_len, kv_heads * variant.group, variant.head_size, dtype=pages.dtype)
        table = torch.empty(variant.requests, capacity // variant.page_size, dtype=torch.int32)
        lens = torch.empty(variant.requests, dtype=torch.int32)
        starts = torch.empty(variant.requests + 1, dtype=torch.int32)
    return PagedBatch(q, pages[:, :, 0], pages[:, :, 1], table, lens, starts, query_len)


def launch(variant: Variant) -> None:
    """The variant's launch, as the operation on a GPU does it."""
    batch, gpu = make_batch(variant), CHIPS[variant.capability]
    result = allocate(batch, None)
    if variant.kernel == "relay":
        launch_relay(variant, batch, gpu, result)
    elif variant.kernel == "sparq":
        launch_sparq(variant, batch, gpu, result)
    elif variant.kernel == "dense":
        dense.launch(batch, 0.1, batch.seq_lens if variant.kind == "starts" else None, result, plan(batch, gpu))
    else:
        launch_sink(variant, batch, gpu, result)


def launch_sink(variant: Variant, batch: PagedBatch, gpu: Gpu, result: Attended) -> None:
    """Attention with sinks and a window, with learned logits for float16."""
    pairs = torch.empty(variant.head_size // (4 if variant.kind == "partial" else 2), device="meta")
    positions: Literal["cache", "absolute"] = "absolute" if variant.kind == "absolute" else "cache"
    policy = SinkWindow(4, 1020, positions, Rotary(pairs, is_neox=variant.kind != "gptj"))
    # As models keep them.
    logits = torch.empty(batch.q_heads, dtype=batch.q.dtype, device="meta") if variant.dtype == "fp16" else None
    cut = plan(batch, gpu, policy.size + batch.max_query_len, sink.kernel_of(policy))
    sink.launch(batch, policy, 0.1, logits, result, cut)


def launch_relay(variant: Variant, batch: PagedBatch, gpu: Gpu, result: Attended) -> None:
    """The search for what is shared, or the attention that follows; there are shapes here, and no numbers."""
    policy, cut = RelayPolicy(), choose_cut(batch, gpu)
    if variant.phase == "search":
        search(batch, policy, cut)
        return
    sharing = relay.start_sharing(batch, *allocate_sharing(batch, policy, cut))
    relay.launch(batch, sharing, 0.1, result, cut)


def launch_sparq(variant: Variant, batch: PagedBatch, gpu: Gpu, result: Attended) -> None:
    """A decode step with keys stored twice, or once; or the upkeep, for a prompt."""
    index = make_index(batch.k_pages, transposed=variant.kind == "usual")
    if variant.kind == "once":
        count, page_size, kv_heads, head_size = batch.k_pages.shape
        pages = transposed_pages((count, page_size, kv_heads, head_size), batch.q.dtype, batch.q.device)
        batch = replace(batch, k_pages=pages)
    if variant.phase == "append":
        with torch.device("meta"):
            k = torch.empty(batch.tokens, batch.kv_heads, batch.head_size, dtype=batch.q.dtype)
        append(batch, k, k, index)
        return
    # Few of 32k tokens, more of them, and as many of 128k as there may be.
    policy = {8: Sparq(32, 128, 32), 64: Sparq(16, 1024, 256), 1: Sparq(64, 8192, 2048)}[variant.requests]
    SparqLaunch(batch, policy, index, 0.1, plan_sparq(batch, policy, gpu)).run(result.out)


class OfflineDriver:
    """A GPU of the given capability, as far as Triton's compiler asks."""

    def __init__(self, capability: int) -> None:
        self.target = GPUTarget("cuda", capability, 32)

    def get_current_target(self) -> GPUTarget:
        """What to compile for."""
        return self.target

    def get_current_device(self) -> int:
        """A device of its own for each target: Triton keeps its compiled kernels by device."""
        return int(self.target.arch)

    def get_current_stream(self, device: int) -> int:
        """None is needed."""
        return 0


def compile_variant(variant: Variant) -> list[Compiled]:
    """Everything that the variant's launch compiles."""
    kernels: list[Any] = []
    run = JITFunction.run

    def only_compile(self: JITFunction, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
        kernels.append(run(self, *args, grid=grid, warmup=True, **options))

    triton.runtime.driver.set_active(OfflineDriver(variant.capability))
    JITFunction.run = only_compile
    try:
        launch(variant)
    finally:
        JITFunction.run = run
    return [inspect_kernel(kernel) for kernel in kernels]


def inspect_kernel(kernel: Any) -> Compiled:
    """Count what matters in a compiled kernel's machine code and assembly."""
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(kernel.asm["cubin"])
        file.flush()
        usage = subprocess.run(
            [tool, "-res-usage", file.name], capture_output=True, text=True, check=True, timeout=60
        ).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+) SHARED:\d+ LOCAL:(\d+)", usage)
    if found is None:
        raise RuntimeError(f"cuobjdump says nothing of registers: {usage!r}")
    registers, stack, local = map(int, found.groups())
    ptx = kernel.asm["ptx"]
    constants = {kernel.src.fn.arg_names[place]: value for (place, *_), value in kernel.src.constants.items()}
    return Compiled(
        name=kernel.metadata.name,
        rows=constants.get("BLOCK_M", 0),
        warps=kernel.metadata.num_warps,
        registers=registers,
        stack_bytes=stack + local,
        shared_bytes=kernel.metadata.shared,
        wgmma=ptx.count("wgmma.mma_async"),
        mma=ptx.count("mma.sync"),
        async_copies=len(re.findall(r"cp\.async\.c[ag]\.", ptx)),
        wide_copies=ptx.count("cp.async.cg."),
        halves=single_loads(ptx, 16),
        words=single_loads(ptx, 32),
        candidates=constants.get("CANDIDATES", 0),
    )


def single_loads(ptx: str, bits: int) -> int:
    """Loads of one number each, whatever is said of caches between; `.v2` and `.v4` are loads of several at once."""
    return len(re.findall(rf"\bld\.global(?:\.(?!v[248]\.)[\w:]+)*\.[bfsu]{bits}\b", ptx))


def faults(variant: Variant, compiled: Compiled) -> list[str]:
    """What is wrong with it, if anything."""
    found = []
    if compiled.stack_bytes:
        found.append(f"spills: {compiled.stack_bytes} bytes of stack")
    if compiled.shared_bytes > SHARED_BYTES[variant.capability]:
        found.append(f"{compiled.shared_bytes} bytes of shared memory, the chip has {SHARED_BYTES[variant.capability]}")
    # Warps get them by eight for each thread.
    if -(-compiled.registers // 8) * 8 * 32 * compiled.warps > REGISTERS:
        found.append(f"{compiled.registers} registers for each thread of {compiled.warps} warps")
    if compiled.name in NO_TILES:
        return found
    narrow_copies = compiled.async_copies - compiled.wide_copies
    # Pages, and the places in a list that lead to them; tiles copied so would take four for each copy of 16 bytes.
    gathers_all = gathers(variant, compiled) and compiled.name == "estimate_kernel"
    is_narrow = narrow_copies > 2 * compiled.wide_copies and not gathers(variant, compiled)
    if (compiled.wide_copies == 0 and not gathers_all) or is_narrow:
        found.append(f"{compiled.wide_copies} asynchronous copies of 16 bytes, {narrow_copies} of single words")
    if compiled.halves > max_halves(variant, compiled) or compiled.words > max_words(variant, compiled):
        found.append(f"single elements loaded: {compiled.halves} of 16 bits, {compiled.words} of 32 bits")
    multiplies = compiled.wgmma if variant.capability >= 90 and compiled.rows >= 64 else compiled.mma
    if variant.dtype != "fp32" and multiplies == 0:
        found.append("no matrix instructions of this chip")
    return found


def gathers(variant: Variant, compiled: Compiled) -> bool:
    """Whether numbers of keys that it needs lie apart, and only single ones can be loaded.

    With tokens innermost these are the chosen keys, whose values lie together as ever; in ordinary pages the
    components that estimate scores, and an estimate loads little else.
    """
    return (compiled.name, variant.kind) in (("attend_kernel", "once"), ("estimate_kernel", "pages"))


def max_halves(variant: Variant, compiled: Compiled) -> int:
    """Of 16 bits there are the query's choice of components and learned logits; and keys that must be gathered."""
    if gathers(variant, compiled):
        return sys.maxsize
    match compiled.name:
        case "estimate_kernel":
            return MAX_CHOSEN_HALVES
        case "sink_attention_kernel":
            return MAX_LOGIT_HALVES
    return 0


def max_words(variant: Variant, compiled: Compiled) -> int:
    """Of 32 bits there are lengths, pages and lists, whatever the type."""
    of_head, is_tall = variant.head_size // 16, compiled.rows > MIN_ROWS
    match compiled.name:
        case "relay_attention_kernel":
            # Tall tiles come beside those of 16 rows, with pages of their own and each row's place in the batch.
            return MAX_LIST_WORDS + of_head + (2 * MAX_WORDS if is_tall else 0)
        case "attend_kernel":
            # Of each candidate the position and the score.
            looks = compiled.candidates + min(compiled.candidates, REPEATED_CANDIDATES)
            return MAX_WORDS + 2 * looks // (32 * compiled.warps)
        case "estimate_kernel":
            # The pages of 32 sums of values, of which a thread copies the more the larger they are.
            return MAX_WORDS + of_head
        case "paged_attention_kernel" if variant.kind == "starts":
            # Where the request's keys start.
            return MAX_WORDS + 1
        case "sink_attention_kernel" if is_tall:
            # Pages for sinks and for the window.
            return MAX_WORDS + of_head
    return MAX_WORDS


def main() -> int:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON array instead of the table")
    parser.add_argument("--only", default="", help="variants whose line in the table contains this")
    parser.add_argument("--full", action="store_true", help="all pairs of sizes and types")
    options = parser.parse_args()
    offered = full_variants() if options.full else variants()
    chosen = [variant for variant in offered if options.only in str(variant)]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("fork")) as pool:
        rows = [
            {"variant": str(variant), **asdict(compiled), "faults": faults(variant, compiled)}
            for variant, kernels in zip(chosen, pool.map(compile_variant, chosen), strict=True)
            for compiled in kernels
        ]
    if options.json:
        print(json.dumps(rows))
    print_table(rows, sys.stderr if options.json else sys.stdout)
    return int(not rows or any(row["faults"] for row in rows))


def print_table(rows: list[dict[str, Any]], file: TextIO) -> None:
    """One line a compiled kernel."""
    columns = (
        "rows",
        "warps",
        "registers",
        "stack_bytes",
        "shared_bytes",
        "wgmma",
        "mma",
        "async_copies",
        "wide_copies",
        "halves",
        "words",
    )
    print(f"triton {triton.__version__}", file=file)
    print(f"{'variant':61} {'kernel':24}", *(f"{column:>12}" for column in columns), file=file)
    for row in rows:
        fault = "; ".join(row["faults"])
        print(f"{row['variant']:61} {row['name']:24}", *(f"{row[column]:12}" for column in columns), fault, file=file)


if __name__ == "__main__":
    sys.exit(main())
