"""How fast the attention kernels decode on this GPU, beside torch's own attention and vLLM's FlashAttention.

    python benchmarks/kernels.py [--json]

Each case is checked against float64 first; a case that is wrong is not timed, and the exit code is 1. Times are of CUDA
graph replays that go through several caches, more bytes than the GPU's own cache holds: the median and the quartiles of
one call. Bandwidth counts the keys and values that must be read, as a share of a copy measured in this process.
Without a GPU nothing is measured, and the exit code is 2.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from kernels_relay import SharedCase, make_shared_batch, shared_cases
from kernels_sparq import SparqCase, is_sparq_right, make_sparq_batch, sparq_call, sparq_cases

from abaci.backend.kernels.common.batch import Attended, PagedBatch
from abaci.backend.kernels.common.op import paged_attention
from abaci.backend.kernels.common.reference import paged_attention_reference
from abaci.backend.kernels.relay.op import find_sharing, relay_attention
from abaci.backend.kernels.sink.op import sink_attention
from abaci.backend.kernels.sink.policy import Rotary, SinkWindow
from abaci.backend.kernels.sink.reference import sink_attention_reference

HEAD_SIZE, PAGE_SIZE, TYPE = 128, 16, torch.bfloat16
TOLERANCE = 1.6e-2
"""Of bfloat16, for numbers about 1."""
ROTATED_BYTES = 400 << 20
REPLAYS = 40
COPY_BYTES = 1 << 30


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
    def read_bytes(self) -> int:
        """Keys and values that must be read."""
        seen = self.tokens if self.policy is None else min(self.tokens, self.policy.size)
        return self.requests * seen * self.kv_heads * HEAD_SIZE * TYPE.itemsize * 2


@dataclass(frozen=True)
class Timing:
    """Microseconds of one call."""

    kernel: str
    median_us: float
    lower_us: float
    upper_us: float
    terabytes_per_s: float


AnyCase = Case | SharedCase | SparqCase


def cases(device: torch.device) -> list[Case]:
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


def make_any_batch(case: AnyCase, device: torch.device) -> PagedBatch:
    """The batch that the case is about."""
    if isinstance(case, SharedCase):
        return make_shared_batch(case, device)
    return make_sparq_batch(case, device) if isinstance(case, SparqCase) else make_batch(case, device)


def ours(case: Case | SharedCase, batch: PagedBatch) -> Callable[[], Attended]:
    """The operation that the case is about; what requests share is found beforehand, as once a step for all layers."""
    if isinstance(case, SharedCase):
        sharing = find_sharing(batch)
        return lambda: relay_attention(batch, sharing)
    policy = case.policy
    return lambda: paged_attention(batch) if policy is None else sink_attention(batch, policy)


def is_right(case: AnyCase, batch: PagedBatch) -> bool:
    """Whether the kernel gives what float64 gives, over the very tensors that are timed."""
    if isinstance(case, SparqCase):
        return is_sparq_right(case, batch)
    scale = HEAD_SIZE**-0.5
    if case.policy is None:
        right = paged_attention_reference(batch, scale)
    else:
        right = sink_attention_reference(batch, case.policy, scale)
    call = ours(case, batch)
    # Twice: what a call leaves behind must suit the next.
    return all(torch.allclose(call().out.double(), right.out, atol=TOLERANCE, rtol=TOLERANCE) for _ in range(2))


def plain(case: AnyCase, batch: PagedBatch) -> Callable[[], object] | None:
    """Our dense attention, which reads what is shared for each request anew, and all keys and values."""
    return None if isinstance(case, Case) else lambda: paged_attention(batch)


def search(case: AnyCase, batch: PagedBatch) -> Callable[[], object] | None:
    """The search for what is shared, once a step."""
    return (lambda: find_sharing(batch)) if isinstance(case, SharedCase) else None


def torch_attention(case: AnyCase, batch: PagedBatch) -> Callable[[], object]:
    """torch's attention over keys and values gathered beforehand into contiguous memory, only those that are seen."""
    keys, values = (
        pages[batch.block_table.long()].flatten(1, 2)[:, : case.tokens] for pages in (batch.k_pages, batch.v_pages)
    )
    if case.policy is not None:
        at = torch.arange(case.tokens, device=keys.device)
        kept = (at < case.policy.n_sinks) | (at >= case.tokens - case.policy.window)
        keys, values = keys[:, kept], values[:, kept]
    keys, values = (tensor.transpose(1, 2).contiguous() for tensor in (keys, values))
    q = batch.q[:, :, None]
    return lambda: torch.nn.functional.scaled_dot_product_attention(q, keys, values, enable_gqa=True)


def flash_attention(case: AnyCase, batch: PagedBatch) -> Callable[[], object] | None:
    """vLLM's FlashAttention over the same pages, where it is installed; it has no sinks."""
    if case.policy is not None:
        return None
    try:
        from vllm.vllm_flash_attn import flash_attn_varlen_func
    except ImportError:
        return None
    return lambda: flash_attn_varlen_func(
        batch.q,
        batch.k_pages,
        batch.v_pages,
        max_seqlen_q=1,
        cu_seqlens_q=batch.query_starts,
        max_seqlen_k=case.tokens,
        seqused_k=batch.seq_lens,
        block_table=batch.block_table,
        softmax_scale=HEAD_SIZE**-0.5,
        causal=True,
    )


def replay_times_us(calls: list[Callable[[], object]]) -> list[float]:
    """Microseconds of one call, for each replay of a graph of all `calls`."""
    stream = torch.cuda.Stream()
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
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        if replay >= 5:
            times.append(start.elapsed_time(end) * 1000 / len(calls))
    return times


def timing(kernel: str, calls: list[Callable[[], object]], read_bytes: int) -> Timing:
    """The spread of one call over the replays."""
    lower, median, upper = statistics.quantiles(replay_times_us(calls), n=4)
    return Timing(kernel, median, lower, upper, read_bytes / median / 1e6)


def measure(case: AnyCase, device: torch.device) -> list[Timing] | None:
    """Ours and the baselines; nothing if ours is wrong."""
    batches = [make_any_batch(case, device) for _ in range(min(64, 2 + ROTATED_BYTES // case.read_bytes))]
    if not is_right(case, batches[0]):
        return None
    make_ours = sparq_call if isinstance(case, SparqCase) else ours
    timings = [timing("abaci", [make_ours(case, batch) for batch in batches], case.read_bytes)]
    baselines: tuple[tuple[str, Callable[[Any, PagedBatch], Callable[[], object] | None]], ...] = (
        ("abaci dense", plain),
        ("abaci search", search),
        ("torch SDPA", torch_attention),
        ("FlashAttention", flash_attention),
    )
    for name, make in baselines:
        calls = [call for batch in batches if (call := make(case, batch)) is not None]
        if calls:
            whole = case.plain_bytes if isinstance(case, SparqCase) else case.read_bytes
            timings.append(timing(name, calls, 0 if make is search else whole))
    return timings


def copy_terabytes_per_s() -> float:
    """What a copy reaches, its reads and its writes counted."""
    source = torch.empty(COPY_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return 2 * COPY_BYTES / statistics.median(replay_times_us([lambda: target.copy_(source)])) / 1e6


def main() -> int:
    """Print one line a kernel and case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA GPU here: nothing was measured", file=sys.stderr)
        return 2
    device = torch.device("cuda")
    copy = copy_terabytes_per_s()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, copy {copy:.2f} TB/s", file=sys.stderr)
    rows: list[dict[str, Any]] = []
    wrong = 0
    for case in (*cases(device), *shared_cases(), *sparq_cases()):
        name = str(case)
        timings = measure(case, device)
        if timings is None:
            wrong += 1
            print(f"{name}: WRONG, not timed", file=sys.stderr)
            continue
        for found in timings:
            rows.append({"case": name, **asdict(found), "share_of_copy": found.terabytes_per_s / copy})
            spread = f"{found.median_us:8.1f} us ({found.lower_us:.1f} to {found.upper_us:.1f})"
            if not options.json:
                print(f"{name:48} {found.kernel:16} {spread:32} {found.terabytes_per_s / copy:6.1%} of copy")
    if options.json:
        print(json.dumps(rows))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
