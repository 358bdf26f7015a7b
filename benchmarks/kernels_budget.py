"""How long `kernels.py` takes on one H200, estimated without one.

    python benchmarks/kernels_budget.py

Its launches are compiled here, each different one once: most of its time is that. It is counted in seconds of a
processor, whatever else runs here. To this come the replays, at the estimates of each case, every baseline as slow as
plain attention; the answers in float64, by the bytes that they move; and what FlexAttention and FlashInfer compile,
which is a guess. Printed in seconds.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Any

import kernels_dense
import kernels_relay
import kernels_sparq
import torch
import triton
from kernels import REFERENCE_QUERIES, REPLAYS, all_cases, count_batches, make_any_batch
from kernels_baselines import AnyCase
from kernels_dense import H200, MEMORY, Case, cut
from kernels_offline import OfflineDriver
from kernels_relay import SharedCase
from kernels_sparq import SparqCase
from triton.runtime.jit import JITFunction

from abaci.backend.kernels.common import op as dense
from abaci.backend.kernels.common.batch import PagedBatch, allocate
from abaci.backend.kernels.common.launching import plan
from abaci.backend.kernels.relay import op as relay
from abaci.backend.kernels.relay.policy import RelayPolicy
from abaci.backend.kernels.relay.search.launching import search
from abaci.backend.kernels.relay.work import choose_cut
from abaci.backend.kernels.sink import op as sink
from abaci.backend.kernels.sparq.launching import SparqLaunch, plan_sparq
from abaci.backend.kernels.sparq.policy import make_index

META = torch.device("meta")
BASELINES = 5
"""Of each case, beside ours and our plain attention"""
REFERENCE_PASSES = 8
"""Over scores, and keys and values, in float64, each repeated for its group"""
FLEX_S, FLASHINFER_S = 10.0, 90.0
"""Guesses: one compilation of FlexAttention, and the one of FlashInfer's prefill, decode and cascade"""


def launch(case: AnyCase, batch: PagedBatch) -> None:
    """Everything of ours that is launched for the case."""
    result = allocate(batch, None)
    if isinstance(case, SharedCase) and RelayPolicy().can_pay(batch):
        sizes = choose_cut(batch, H200)
        relay.launch(batch, relay.start_sharing(batch, *search(batch, RelayPolicy(), sizes)), 0.1, result, sizes)
    if isinstance(case, SparqCase):
        index = make_index(batch.k_pages)
        SparqLaunch(batch, case.sparq, index, 0.1, plan_sparq(batch, case.sparq, H200)).run(result.out)
    if case.policy is not None:
        sink.launch(batch, case.policy, 0.1, None, result, cut(case, batch, H200))
    else:
        dense.launch(batch, 0.1, None, result, plan(batch, H200))


def compile_all(cases: list[AnyCase]) -> tuple[int, float]:
    """How many kernels they need, and the processor's seconds that it took to compile them."""
    kernels: set[int] = set()
    run = JITFunction.run

    def only_compile(self: JITFunction, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
        kernels.add(id(run(self, *args, grid=grid, warmup=True, **options)))

    triton.runtime.driver.set_active(OfflineDriver(90))
    # Nothing that was compiled before: a lent card's machine has nothing either.
    triton.knobs.compilation.always_compile = True
    JITFunction.run = only_compile
    start = processor_s()
    try:
        for case in cases:
            launch(case, make_any_batch(case, META))
    finally:
        JITFunction.run = run
    return len(kernels), processor_s() - start


def processor_s() -> float:
    """Of this process so far, and of those that it ran: the assembler is one."""
    return sum(os.times()[:4])


def times_us(case: AnyCase) -> tuple[float, float]:
    """Ours and plain attention's, by the estimates."""
    if isinstance(case, SharedCase):
        shared = kernels_relay.estimate(case)
        return shared.estimate_us, shared.plain_us
    if isinstance(case, SparqCase):
        sparse = kernels_sparq.estimate(case)
        return sparse.estimate_us, sparse.plain_us
    # Of a prompt others multiply what the mask hides as well.
    plain = replace(case, policy=None) if case.queries > 1 else case
    return kernels_dense.estimate(case).estimate_us, kernels_dense.estimate(plain).estimate_us


def replays_s(case: AnyCase) -> float:
    """Of all kernels, a few microseconds for each launch included."""
    ours_us, plain_us = times_us(case)
    return (REPLAYS + 6) * count_batches(case) * (ours_us + (1 + BASELINES) * (plain_us + 5)) / 1e6


def reference_s(case: AnyCase) -> float:
    """Of the answers in float64, one or two: keys and values for each part of the queries, and all scores."""
    queries = case.queries if isinstance(case, Case) else 1
    parts = -(-queries // REFERENCE_QUERIES)
    numbers = case.requests * case.tokens * case.q_heads * (2 * kernels_dense.HEAD_SIZE * parts + queries)
    return 2 * numbers * 8 * REFERENCE_PASSES / MEMORY + 0.002 * case.requests * parts


def main() -> int:
    """Print the parts and their sum."""
    cases = all_cases(torch.device("cpu"))
    count, compile_s = compile_all(cases)
    flexes = sum(isinstance(case, Case) and case.q_heads == 32 and case.requests in (1, 64) for case in cases)
    parts = {
        f"{count} kernels of ours compiled, on a processor here": compile_s,
        f"replays of {len(cases)} cases": sum(map(replays_s, cases)),
        "answers in float64": sum(map(reference_s, cases)),
        f"FlexAttention compiled {flexes} times, guessed": flexes * FLEX_S,
        "FlashInfer compiled, guessed": FLASHINFER_S,
    }
    for text, seconds in {**parts, "together": sum(parts.values())}.items():
        print(f"{text:52} {seconds:7.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
