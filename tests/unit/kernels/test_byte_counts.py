"""What the benchmarks' estimates count is what the kernels load, store and multiply, as the interpreter sees."""

from __future__ import annotations

from dataclasses import replace

import kernels_dense
import kernels_relay
import kernels_sparq
import pytest
import torch
from kernels_dense import TYPE, Case, cut, make_batch
from kernels_relay import SharedCase, make_shared_batch
from kernels_sparq import SECTOR_BYTES, SparqCase, indexed, make_sparq_batch
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
from abaci.backend.kernels.sparq.launching import SparqLaunch, SparqPlan, append
from abaci.backend.kernels.sparq.policy import Sparq, SparqIndex, make_index, transposed_pages

CPU = torch.device("cpu")
SMALL = Gpu(capability=9, processors=4)
EAGER = RelayPolicy(levels=2, min_requests=2, min_tokens=16, min_saved_bytes=0)


def scratch(traffic: Traffic, batch: PagedBatch, result: Attended, *known: torch.Tensor) -> int:
    """Bytes loaded from and stored to what the launch allocated itself."""
    given = (batch.q, batch.k_pages, batch.block_table, batch.seq_lens, batch.query_starts, *known)
    all_loaded, all_stored = (sum(size * len(at) for at, size in met) for met in (traffic.loads, traffic.stores))
    return all_loaded - traffic.loaded(*given) + all_stored - traffic.stored(result.out, result.lse)


def assert_counted(
    case: Case, batch: PagedBatch, result: Attended, traffic: Traffic, *known: torch.Tensor
) -> kernels_dense.Estimate:
    """What attention loaded, stored and multiplied is what the estimate says, which is returned."""
    estimate = kernels_dense.estimate(case, SMALL)
    assert traffic.different(batch.k_pages) == case.read_bytes == pytest.approx(1e6 * estimate.read_mb)
    assert traffic.loaded(batch.k_pages) == pytest.approx(1e6 * estimate.loaded_mb)
    queries = traffic.different(batch.q) + result.out.nbytes + result.lse.nbytes
    assert queries == case.query_bytes == pytest.approx(1e6 * estimate.query_mb)
    assert traffic.stored(result.out, result.lse) == result.out.nbytes + result.lse.nbytes
    assert scratch(traffic, batch, result, *known) == pytest.approx(1e6 * estimate.partial_mb)
    assert traffic.operations == pytest.approx(1e9 * estimate.giga_operations)
    return estimate


@pytest.mark.parametrize(
    ("case", "splits"),
    [
        (Case("small", 4, 2, 1, 200), 4),
        (Case("small", 4, 2, 5, 200), 1),
        (Case("small", 7, 1, 1, 100, queries=20), 2),
        (Case("small", 7, 1, 3, 70, queries=70), 1),
    ],
    ids=str,
)
def test_dense_attention_moves_and_multiplies_what_is_counted(case: Case, splits: int) -> None:
    """Decode and prefill, with split keys, of which each query sees some, and without; blocks meet keys again."""
    batch = make_batch(case, CPU)
    result = allocate(batch, None)
    with watched() as traffic:
        dense.launch(batch, 0.1, None, result, cut(case, batch, SMALL))
    estimate = assert_counted(case, batch, result, traffic)
    assert estimate.splits == splits
    assert (estimate.loaded_mb > estimate.read_mb) == (case.queries > 1)


@pytest.mark.parametrize(("requests", "queries", "tokens"), [(8, 1, 300), (8, 1, 40), (2, 100, 150), (1, 40, 40)])
def test_sinks_and_window_are_read_once_and_nothing_between_them(requests: int, queries: int, tokens: int) -> None:
    inv_freq = 10000.0 ** (-torch.arange(64) / 64)
    policy = SinkWindow(4, 30 if queries > 1 else 70, "cache", Rotary(inv_freq))
    case = Case("small", 7, 1, requests, tokens, policy, queries)
    batch = make_batch(case, CPU)
    result = allocate(batch, None)
    with watched() as traffic:
        sink.launch(batch, policy, 0.1, None, result, cut(case, batch, SMALL))
    assert_counted(case, batch, result, traffic, inv_freq)


def test_a_causal_prompt_multiplies_half_of_its_tiles() -> None:
    """And whole tiles on the diagonal: of 64 tiles of 128 keys squared 36."""
    case = Case("small", 1, 1, 1, 1024, queries=1024)
    estimate = kernels_dense.estimate(case)
    assert kernels_dense.cut(case, make_batch(case, torch.device("meta")), kernels_dense.H200).tiling.block_m == 128
    assert 1e9 * estimate.giga_operations == pytest.approx(36 * 128 * 128 * 128 * 4)
    assert estimate.roofline_us == pytest.approx(max(estimate.moved_mb / 4.3, estimate.giga_operations / 0.79))


@pytest.mark.parametrize("case", [SharedCase("small", 4, 2, 4, 96, 0, 48), SharedCase("small", 8, 1, 16, 64, 32, 16)])
def test_relay_reads_what_is_shared_once_and_partial_results_as_counted(case: SharedCase) -> None:
    """The second case has sixteen requests of eight heads: two blocks read the prompt, one of them from the cache."""
    estimate = assert_relay_counted(case, EAGER)
    assert estimate.is_shared
    assert case.read_bytes == pytest.approx(1e6 * estimate.read_mb)


def test_relay_that_is_left_to_plain_attention_reads_what_that_reads_and_its_list() -> None:
    """A prompt of one page that is given up on the device; and shapes that get no list."""
    case, policy = SharedCase("small", 4, 2, 4, 16, 0, 80), replace(EAGER, min_saved_bytes=100_000)
    estimate = assert_relay_counted(case, policy)
    assert not estimate.is_shared
    assert case.plain_bytes == pytest.approx(1e6 * estimate.read_mb)
    assert estimate.list_mb > 0
    plain = kernels_dense.estimate(case.plain, SMALL)
    without = kernels_relay.estimate(case, replace(policy, min_requests=5), SMALL)
    assert (without.moved_mb, without.list_mb) == (plain.moved_mb, 0)
    assert without.plain_us == without.estimate_us == plain.estimate_us


def assert_relay_counted(case: SharedCase, policy: RelayPolicy) -> kernels_relay.Estimate:
    """What the list of work makes the kernel load, store and multiply is what the estimate says, which is returned."""
    batch = make_shared_batch(case, CPU)
    cache = torch.randn(batch.k_pages.shape[0], 16, 2, case.kv_heads, 128).to(batch.q.dtype)
    batch = replace(batch, k_pages=cache[:, :, 0], v_pages=cache[:, :, 1])
    groups, sizes = find_groups(batch, policy), choose_cut(batch, SMALL)
    work, result = cut_work(batch, policy, groups, sizes), allocate(batch, None)
    sharing = relay.start_sharing(batch, groups, work)
    with watched() as traffic:
        relay.launch(batch, sharing, 0.1, result, sizes)
    estimate = kernels_relay.estimate(case, policy, SMALL)
    # Blocks of a group read its prompt again, from the cache; requests without a group all read it.
    readers = -(-case.requests * batch.group // 64) if estimate.is_shared else case.requests
    again = (readers - 1) * case.prompt * token_bytes(batch)
    assert traffic.loaded(cache) == traffic.different(cache) + again
    read = traffic.different(cache) if estimate.is_shared else traffic.loaded(cache)
    assert read == pytest.approx(1e6 * estimate.read_mb)
    assert traffic.operations == pytest.approx(1e9 * estimate.giga_operations)
    lists = (work.items, work.parts, work.tokens, work.positions)
    # Each may end within a sector.
    assert traffic.touched(*lists) == pytest.approx(1e6 * estimate.list_mb, abs=len(lists) * SECTOR_BYTES)
    counters = traffic.stored(sharing.arrivals)
    assert scratch(traffic, batch, result, *lists) - counters == pytest.approx(1e6 * estimate.partial_mb)
    queries = traffic.different(batch.q) + traffic.stored(result.out, result.lse)
    assert queries == pytest.approx(1e6 * estimate.query_mb)
    return estimate


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


def test_keys_stored_once_bring_a_sector_for_each_element() -> None:
    """Sixteen of the chosen keys lie in sectors of their own, the sixteen last ones in one."""
    case = SparqCase("small", 8, 2, 1, 512, Sparq(16, 32, 16, dense_tokens=0))
    batch = make_sparq_batch(case, CPU)
    k, chosen = transposed_pages(shape_of(batch.k_pages), TYPE, CPU).zero_(), torch.arange(0, 256, 16)
    k[batch.block_table[0, chosen // batch.page_size].long(), chosen % batch.page_size] = 1
    batch = replace(batch, q=torch.ones_like(batch.q), k_pages=k, v_pages=batch.v_pages.clone())
    sums, out = indexed(batch).v_sums, torch.empty_like(batch.q)
    tilings = (Tiling(16, 128, warps=4, stages=1), Tiling(16, 32, warps=4, stages=1))
    plan = SparqPlan(256, *tilings, splits=1)
    with watched() as once:
        SparqLaunch(batch, case.sparq, SparqIndex(sums), 0.1, plan).run(out)
    assert once.loaded(k) == case.column_bytes + case.exact_bytes // 2
    assert once.loaded(batch.v_pages) == case.exact_bytes // 2
    # The columns elsewhere, so that what is read of the chosen keys is seen alone.
    with watched() as apart:
        SparqLaunch(batch, case.sparq, SparqIndex(sums, k.permute(0, 2, 3, 1).clone()), 0.1, plan).run(out)
    read = case.column_bytes + apart.touched(k) + once.loaded(batch.v_pages, sums)
    assert read == case.once_bytes == pytest.approx(1e6 * kernels_sparq.estimate(case).once_mb)


@pytest.mark.parametrize("case", [Case("", 2, 2, 2, 48), Case("", 2, 2, 2, 47), Case("", 2, 2, 1, 90, queries=70)])
def test_upkeep_moves_what_is_counted(case: Case) -> None:
    """Tokens that fill a page, that do not, and 70 of which some fill four."""
    batch = make_batch(case, CPU)
    batch = replace(batch, k_pages=batch.k_pages.clone(), v_pages=batch.v_pages.clone())
    k, v = (torch.randn(batch.tokens, 2, kernels_dense.HEAD_SIZE).to(TYPE) for _ in range(2))
    index, counted = make_index(batch.k_pages), kernels_sparq.estimate_append(case, batch.page_size)
    with watched() as twice:
        append(batch, k, v, index)
    assert index.columns is not None
    new = twice.different(k) + twice.different(v) + twice.stored(batch.v_pages)
    assert new == pytest.approx(1e6 * counted.new_mb)
    assert twice.stored(batch.k_pages) == pytest.approx(1e6 * counted.key_mb)
    assert twice.touched(index.columns) == pytest.approx(1e6 * counted.column_mb)
    assert twice.stored(index.v_sums) + twice.loaded(batch.v_pages) == pytest.approx(1e6 * counted.sum_mb)
    assert (counted.sum_mb > 0) == (case.tokens != 47)
    once = replace(batch, k_pages=transposed_pages(shape_of(batch.k_pages), TYPE, CPU))
    with watched() as traffic:
        append(once, k, v, SparqIndex(index.v_sums))
    assert traffic.touched(once.k_pages) == pytest.approx(1e6 * counted.column_mb)


def shape_of(pages: torch.Tensor) -> tuple[int, int, int, int]:
    """[N, P, Hk, D]"""
    n, p, hk, d = pages.shape
    return n, p, hk, d
