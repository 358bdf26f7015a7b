"""How fast the attention kernels decode and prefill on this GPU, beside what else there is (`kernels_baselines.py`).

    python benchmarks/kernels.py [--json] [--only TEXT] [--tune [KERNEL]] [--self-check]

Each case is checked against float64 first, ours and every baseline: what is wrong is not timed, and if ours is, the
exit code is 1. Times are of CUDA graph replays that go through several caches, more bytes than the GPU's own cache
holds: the median and the quartiles of one call. Bandwidth counts the keys and values that must be read, as a share of a
copy measured in this process; a prefill, which products bind, has its share of the roofline that `kernels_dense.py`
gives it on an H200. At the end the bars of `kernels_bars.py` are judged. Without a GPU nothing is measured,
and the exit code is 2.

--tune measures other tilings and writes the table of this GPU's architecture anew (`kernels_tune.py`). --self-check
goes through all of this with small cases and the reference on the CPU, and prints no time: it says that the script
works.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from kernels_bars import OURS, PLAIN, verdicts
from kernels_baselines import BASELINES, AnyCase, Call, Make
from kernels_dense import HEAD_SIZE, Case, dense_cases, estimate, make_batch, measured_prefills
from kernels_relay import SharedCase, make_shared_batch, shared_cases
from kernels_sparq import SparqCase, is_sparq_right, make_sparq_batch, sparq_call, sparq_cases

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.op import paged_attention
from abaci.backend.kernels.common.reference import paged_attention_reference
from abaci.backend.kernels.relay.op import find_sharing, relay_attention
from abaci.backend.kernels.sink.op import sink_attention
from abaci.backend.kernels.sink.policy import Rotary, SinkWindow
from abaci.backend.kernels.sink.reference import sink_attention_reference
from abaci.backend.kernels.sparq.policy import Sparq

TOLERANCE = 1.6e-2
"""Of bfloat16, times the size of each query's answer: means over many values are small."""
REFERENCE_QUERIES = 256
"""Of each request, that float64 answers at once: its scores are stored."""
ROTATED_BYTES, COPY_BYTES = 400 << 20, 1 << 30
REPLAYS = 40
ASLEEP_CYCLES = 1_000_000
"""For which the GPU waits while the host queues a replay: half a millisecond"""
PACKAGES = ("torch", "triton", "vllm", "flashinfer-python", "flash-attn-3")
Clock = Callable[[list[Call]], list[float]]
"""Microseconds of one call, for each of several runs through all calls"""


@dataclass(frozen=True)
class Timing:
    """Microseconds of one call."""

    kernel: str
    median_us: float
    lower_us: float
    upper_us: float
    terabytes_per_s: float


def all_cases(device: torch.device) -> list[AnyCase]:
    """What the bars are about, and more."""
    return [*shared_cases(), *dense_cases(device), *measured_prefills(device), *sparq_cases()]


def small_cases(device: torch.device) -> list[AnyCase]:
    """One of each kind, of a size for the CPU."""
    policy = SinkWindow(4, 60, "cache", Rotary(10000.0 ** (-torch.arange(64, device=device) / 64)))
    return [
        SharedCase("small", 4, 2, 16, 64, 32, 16),
        Case("small", 32, 8, 1, 100),
        Case("small", 32, 8, 1, 200, policy),
        Case("small", 32, 8, 2, 70, queries=70),
        Case("small", 32, 8, 1, 300, queries=270),
        Case("small", 32, 8, 1, 100, policy, queries=100),
        SparqCase("small", 4, 2, 1, 512, Sparq(16, 32, 8, dense_tokens=0)),
    ]


def make_any_batch(case: AnyCase, device: torch.device) -> PagedBatch:
    """The batch that the case is about."""
    if isinstance(case, SharedCase):
        return with_memory(make_shared_batch(case, device))
    return make_sparq_batch(case, device) if isinstance(case, SparqCase) else make_batch(case, device)


def with_memory(batch: PagedBatch) -> PagedBatch:
    """The batch; on the CPU, where there was no memory for keys and values, with some."""
    if batch.q.device.type != "cpu":
        return batch
    k, v = (torch.randn(batch.k_pages.shape).to(batch.q.dtype) for _ in range(2))
    return PagedBatch(batch.q, k, v, batch.block_table, batch.seq_lens, batch.query_starts, batch.max_query_len)


def ours(case: AnyCase, batch: PagedBatch) -> Call:
    """The operation that the case is about; what requests share is found beforehand, as once a step for all layers."""
    if isinstance(case, SparqCase):
        return sparq_call(case, batch)
    if isinstance(case, SharedCase):
        sharing = find_sharing(batch)
        return lambda: relay_attention(batch, sharing).out
    policy = case.policy
    return lambda: (paged_attention(batch) if policy is None else sink_attention(batch, policy)).out


def plain(case: AnyCase, batch: PagedBatch) -> Call | None:
    """Our dense attention, which reads what is shared for each request anew, and all keys and values."""
    return None if isinstance(case, Case) else lambda: paged_attention(batch).out


def search(case: AnyCase, batch: PagedBatch) -> Callable[[], object] | None:
    """The search for what is shared, once a step."""
    return (lambda: find_sharing(batch)) if isinstance(case, SharedCase) else None


def is_right(case: AnyCase, batch: PagedBatch) -> bool:
    """Whether the kernel gives what float64 gives, over the very tensors that are timed."""
    if isinstance(case, SparqCase):
        return is_sparq_right(case, batch)
    call, right = ours(case, batch), answer(case, batch, case.policy)
    # Twice: what a call leaves behind must suit the next.
    return all(is_close(call(), right) for _ in range(2))


def answer(case: AnyCase, batch: PagedBatch, policy: SinkWindow | None) -> torch.Tensor:
    """[T, Hq, D] in float64: attention over everything, or over sinks and window; some queries at a time."""
    scale, answers = HEAD_SIZE**-0.5, []
    for part in parts(batch):
        if policy is None:
            out = paged_attention_reference(part, scale).out
        else:
            out = sink_attention_reference(part, policy, scale).out
        answers.append(out.view(batch.requests, -1, batch.q_heads, batch.head_size))
    return torch.cat(answers, 1).flatten(0, 1)


def parts(batch: PagedBatch) -> Iterator[PagedBatch]:
    """The batch's queries, of which each request has as many, REFERENCE_QUERIES of each after the other."""
    queries = batch.q.view(batch.requests, -1, batch.q_heads, batch.head_size)
    count = queries.shape[1]
    for first in range(0, count, REFERENCE_QUERIES):
        some = queries[:, first : first + REFERENCE_QUERIES]
        size = some.shape[1]
        starts = torch.arange(batch.requests + 1, dtype=torch.int32, device=batch.q.device) * size
        lens = batch.seq_lens - (count - first - size)
        yield replace(batch, q=some.flatten(0, 1), seq_lens=lens, query_starts=starts, max_query_len=size)


def baseline_answer(case: AnyCase, batch: PagedBatch) -> torch.Tensor:
    """What others must give: they leave queries as they are, so that distances are absolute."""
    policy = None if case.policy is None else SinkWindow(case.policy.n_sinks, case.policy.window)
    return answer(case, batch, policy)


def is_close(out: torch.Tensor, right: torch.Tensor) -> bool:
    """Within the type's rounding; NaN never is. Queries may have a dimension for requests and one for their own."""
    size = right.square().mean((1, 2), keepdim=True).sqrt()
    errors = (out.reshape(right.shape).double() - right).abs()
    return bool((errors <= TOLERANCE * (size + right.abs())).all())


def graph_times_us(calls: list[Call]) -> list[float]:
    """Microseconds of one call, for each replay of a graph of all `calls`."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for call in calls:
            call()
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for call in calls:
            call()
    times = []
    for replay in range(REPLAYS + 5):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        # Meanwhile the rest is queued: what the host takes to launch a graph lies outside the two events.
        torch.cuda._sleep(ASLEEP_CYCLES)
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        if replay >= 5:
            times.append(start.elapsed_time(end) * 1000 / len(calls))
    return times


def wall_times_us(calls: list[Call]) -> list[float]:
    """The same by the clock on the wall, for the self-check."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        for call in calls:
            call()
        times.append((time.perf_counter() - start) * 1e6 / len(calls))
    return times


def timing(kernel: str, times_us: list[float], read_bytes: int) -> Timing:
    """The spread of one call over the replays."""
    lower, median, upper = statistics.quantiles(times_us, n=4)
    return Timing(kernel, median, lower, upper, read_bytes / median / 1e6)


def count_batches(case: AnyCase) -> int:
    """How many are taken in turn, so that what one brings into the GPU's own cache is gone when it comes again."""
    touched = case.read_bytes + (case.query_bytes if isinstance(case, Case) else 0)
    return min(64, 2 + ROTATED_BYTES // touched)


def measure(
    case: AnyCase, device: torch.device, clock: Clock, baselines: dict[str, Make] = BASELINES
) -> list[Timing] | None:
    """Ours and the baselines that are right; nothing if ours is wrong."""
    count = count_batches(case) if device.type == "cuda" else 2
    batches = [make_any_batch(case, device) for _ in range(count)]
    if not is_right(case, batches[0]):
        return None
    timings = [timing(OURS, clock([ours(case, batch) for batch in batches]), case.read_bytes)]
    whole = case.plain_bytes if isinstance(case, SparqCase) else case.read_bytes
    if (first := search(case, batches[0])) is not None and first() is not None:
        searches: list[Any] = [search(case, batch) for batch in batches]
        timings.append(timing("abaci search", clock(searches), 0))
    right = baseline_answer(case, batches[0])
    for name, make in {PLAIN: plain, **baselines}.items():
        try:
            times_us = baseline_times_us([make(case, batch) for batch in batches], right, clock)
        except Exception as error:  # noqa: BLE001 - others' programs, of any version: that one fails is a line here
            print(f"{case}: {name} FAILED, not timed: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        if times_us is not None:
            timings.append(timing(name, times_us, whole))
    return timings


def baseline_times_us(calls: list[Call | None], right: torch.Tensor, clock: Clock) -> list[float] | None:
    """Its times, or None if it does not do this case.

    Raises:
        ArithmeticError: its answer is not `right`.
    """
    able = [call for call in calls if call is not None]
    if not able:
        return None
    if not is_close(able[0](), right):
        raise ArithmeticError("its answer is wrong")
    return clock(able)


def copy_bytes_per_s() -> float:
    """What a copy reaches, its reads and its writes counted."""
    source = torch.empty(COPY_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return 2 * COPY_BYTES / statistics.median(graph_times_us([lambda: target.copy_(source)])) * 1e6


def versions() -> str:
    """Of what takes part, as far as it is installed."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def run(cases: list[AnyCase], device: torch.device, clock: Clock, copy: float) -> tuple[list[dict[str, Any]], int]:
    """A row for each case and kernel, printed as it comes, and how many cases were wrong."""
    rows: list[dict[str, Any]] = []
    wrong = 0
    for case in cases:
        timings = measure(case, device, clock)
        if timings is None:
            wrong += 1
            print(f"{case}: WRONG, not timed", file=sys.stderr)
        for found in timings or ():
            bound, share = reached(case, found, copy)
            rows.append({"case": str(case), **asdict(found), f"share_of_{bound}": share})
            spread = f"{found.median_us:8.1f} us ({found.lower_us:.1f} to {found.upper_us:.1f})"
            if device.type == "cuda":
                print(f"{case!s:54} {found.kernel:22} {spread:32} {share:6.1%} of {bound}", flush=True)
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return rows, wrong


def reached(case: AnyCase, found: Timing, copy: float) -> tuple[str, float]:
    """What bounds the case, and the share of it that was reached."""
    if isinstance(case, Case) and case.queries > 1:
        return "roofline", estimate(case).roofline_us / found.median_us
    return "copy", found.terabytes_per_s * 1e12 / copy


def medians(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Of each case, by kernel."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        found.setdefault(row["case"], {})[row["kernel"]] = row["median_us"]
    return found


def self_check() -> int:
    """All of it with small cases, the reference in the kernels' place; what is timed is not said."""
    torch.manual_seed(0)
    # What is computed is small, and other threads would cost more than they do.
    torch.set_num_threads(1)
    rows, wrong = run(small_cases(torch.device("cpu")), torch.device("cpu"), wall_times_us, copy=1.0)
    for row in rows:
        print(f"{row['case']:54} {row['kernel']:22} right")
    return int(wrong > 0)


def main() -> int:
    """Print one line a kernel and case, and one a bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object after the lines, on the last line")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--tune", nargs="?", const="", help="measure tilings of this kernel (default: all)")
    parser.add_argument("--self-check", action="store_true", help="go through everything on the CPU, without times")
    options = parser.parse_args()
    if options.self_check:
        return self_check()
    if not torch.cuda.is_available():
        print("no CUDA GPU here: nothing was measured", file=sys.stderr)
        return 2
    if options.tune is not None:
        from kernels_tune import tune

        return tune(options.tune, graph_times_us)
    device, copy = torch.device("cuda"), copy_bytes_per_s()
    about = f"{datetime.now(UTC):%Y-%m-%d}, {torch.cuda.get_device_name()}, {versions()}, copy {copy / 1e12:.2f} TB/s"
    print(about)
    chosen = [case for case in all_cases(device) if options.only in str(case)]
    rows, wrong = run(chosen, device, graph_times_us, copy)
    judged = list(verdicts(medians(rows), copy))
    print("\n".join(map(str, judged)))
    if options.json:
        print(json.dumps({"about": about, "rows": rows, "bars": [asdict(verdict) for verdict in judged]}))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
