"""The bytes that the benchmarks' estimates count are those that the kernels load and store, as the interpreter sees."""

from __future__ import annotations

from dataclasses import replace

import kernels_dense
import kernels_relay
import kernels_sparq
import pytest
import torch
from kernels_dense import Case, cut, make_batch
from kernels_relay import SharedCase, make_shared_batch
from kernels_sparq import SparqCase, indexed, make_sparq_batch
from traffic import Traffic, watched

from abaci.backend.kernels.common import op as dense
from abaci.backend.kernels.common.batch import Attended, PagedBatch, allocate
from abaci.backend.kernels.common.launching import Gpu
from abaci.backend.kernels.common.tiling import Tiling
from abaci.backend.kernels.relay import op as relay
from abaci.backend.kernels.relay.groups import find_groups
from abaci.backend.kernels.relay.policy import RelayPolicy, token_bytes
from abaci.backend.kernels.relay.work import choose_cut, cut_work
from abaci.backend.kernels.sink import op as sink
from abaci.backend.kernels.sink.policy import Rotary, SinkWindow
from abaci.backend.kernels.sparq.launching import SparqLaunch, SparqPlan
from abaci.backend.kernels.sparq.policy import Sparq

CPU = torch.device("cpu")
SMALL = Gpu(capability=9, processors=4)
EAGER = RelayPolicy(levels=2, min_requests=2, min_tokens=16, min_saved_bytes=0)


def scratch(traffic: Traffic, batch: PagedBatch, result: Attended, *known: torch.Tensor) -> int:
    """Bytes loaded from and stored to what the launch allocated itself."""
    given = (batch.q, batch.k_pages, batch.block_table, batch.seq_lens, batch.query_starts, *known)
    all_loaded, all_stored = (sum(size * len(at) for at, size in met) for met in (traffic.loads, traffic.stores))
    return all_loaded - traffic.loaded(*given) + all_stored - traffic.stored(result.out, result.lse)


@pytest.mark.parametrize("requests", [1, 5])
def test_dense_decode_reads_each_key_and_value_once(requests: int) -> None:
    """With split keys, no split empty, whose partial results are counted; and without."""
    case = Case("small", 4, 2, requests, 200)
    batch = make_batch(case, CPU)
    result, estimate = allocate(batch, None), kernels_dense.estimate(case, SMALL)
    with watched() as traffic:
        dense.launch(batch, 0.1, None, result, cut(case, batch, SMALL))
    assert (estimate.splits > 1) == (requests == 1)
    assert traffic.different(batch.k_pages) == traffic.loaded(batch.k_pages) == case.read_bytes
    assert case.read_bytes == pytest.approx(1e6 * estimate.read_mb)
    assert scratch(traffic, batch, result) == pytest.approx(1e6 * estimate.partial_mb)


@pytest.mark.parametrize("tokens", [300, 40])
def test_sinks_and_window_are_read_once_and_nothing_between_them(tokens: int) -> None:
    inv_freq = 10000.0 ** (-torch.arange(64) / 64)
    case = Case("small", 7, 1, 8, tokens, SinkWindow(4, 70, "cache", Rotary(inv_freq)))
    batch = make_batch(case, CPU)
    assert case.policy is not None
    result, estimate = allocate(batch, None), kernels_dense.estimate(case, SMALL)
    with watched() as traffic:
        sink.launch(batch, case.policy, 0.1, None, result, cut(case, batch, SMALL))
    assert traffic.different(batch.k_pages) == traffic.loaded(batch.k_pages) == case.read_bytes
    assert scratch(traffic, batch, result, inv_freq) == pytest.approx(1e6 * estimate.partial_mb)


@pytest.mark.parametrize("case", [SharedCase("small", 4, 2, 4, 96, 0, 48), SharedCase("small", 8, 1, 16, 64, 32, 16)])
def test_relay_reads_what_is_shared_once_and_partial_results_as_counted(case: SharedCase) -> None:
    """The second case has sixteen requests of eight heads: two blocks read the prompt, one of them from the cache."""
    batch = make_shared_batch(case, CPU)
    cache = torch.randn(batch.k_pages.shape[0], 16, 2, case.kv_heads, 128).to(batch.q.dtype)
    batch = replace(batch, k_pages=cache[:, :, 0], v_pages=cache[:, :, 1])
    groups, sizes = find_groups(batch, EAGER), choose_cut(batch, SMALL)
    work, result = cut_work(batch, EAGER, groups, sizes), allocate(batch, None)
    arrivals = torch.zeros(batch.tokens, batch.q_heads, dtype=torch.int32)
    with watched() as traffic:
        relay.launch(batch, relay.Sharing(groups, work, arrivals), 0.1, result, sizes)
    estimate = kernels_relay.estimate(case, EAGER, SMALL)
    assert estimate.is_shared
    blocks = -(-case.requests * batch.group // 64)
    again = (blocks - 1) * case.prompt * token_bytes(batch)
    assert traffic.different(cache) == traffic.loaded(cache) - again == case.read_bytes
    assert case.read_bytes == pytest.approx(1e6 * estimate.read_mb)
    lists = (work.items, work.parts, work.tokens, work.positions)
    counters = traffic.stored(arrivals)
    assert scratch(traffic, batch, result, *lists) - counters == pytest.approx(1e6 * estimate.partial_mb)


def test_sparq_reads_components_sums_and_the_chosen() -> None:
    case = SparqCase("small", 8, 2, 1, 512, Sparq(16, 32, 8, dense_tokens=0))
    batch = make_sparq_batch(case, CPU)
    batch = replace(batch, k_pages=batch.k_pages.clone(), v_pages=batch.v_pages.clone())
    index, out = indexed(batch), torch.empty_like(batch.q)
    tilings = (Tiling(16, 128, warps=4, stages=1), Tiling(16, 32, warps=4, stages=1))
    with watched() as traffic:
        kept = SparqLaunch(batch, case.sparq, index, 0.1, SparqPlan(256, *tilings, splits=1)).run(out)
    assert index.columns is not None
    estimate = kernels_sparq.estimate(case)
    assert traffic.different(index.columns) == traffic.loaded(index.columns) == case.column_bytes
    assert traffic.loaded(index.v_sums) == case.sum_bytes
    assert traffic.loaded(batch.k_pages, batch.v_pages) == case.exact_bytes
    assert traffic.stored(kept.scores) == case.score_bytes
    counted = (estimate.column_mb, estimate.sum_mb, estimate.exact_mb, estimate.score_mb)
    parts = (case.column_bytes, case.sum_bytes, case.exact_bytes, case.score_bytes)
    assert [1e6 * each for each in counted] == pytest.approx(list(parts))
    assert case.read_bytes == sum(parts[:3])
