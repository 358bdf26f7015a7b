"""SparQ's kernels, interpreted, against the definition in float64 and against the paper's algorithm."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from paged_cases import PADDING_ROWS, Case, assert_near, far_columns, make_batch, scattered, strided, vast

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.launching import Gpu
from abaci.backend.kernels.common.reference import paged_attention_reference
from abaci.backend.kernels.common.tiling import Tiling
from abaci.backend.kernels.sparq.launching import (
    Scratch,
    SparqLaunch,
    SparqPlan,
    Stages,
    append,
    contiguous_run,
    plan_sparq,
)
from abaci.backend.kernels.sparq.policy import Sparq, SparqIndex, make_index, transposed_pages
from abaci.backend.kernels.sparq.reference import sparq_attention_reference

BF16, FP16, FP32 = torch.bfloat16, torch.float16, torch.float32
SCALE = 0.125


def indexed(batch: PagedBatch) -> SparqIndex:
    """The index of pages that are written already; what must not be read is NaN."""
    index = make_index(batch.k_pages)
    assert index.columns is not None
    index.columns.copy_(batch.k_pages.permute(0, 2, 3, 1))
    index.v_sums.copy_(batch.v_pages.sum(1, dtype=torch.float32))
    return index


def cut(chunk: int = 64, tile: int = 32, splits: int = 1, max_candidates: int = 16384) -> SparqPlan:
    estimate, attend = (Tiling(16, size, warps=4, stages=1) for size in (tile, 16))
    return SparqPlan(chunk, estimate, attend, splits, max_candidates)


def run(batch: PagedBatch, policy: Sparq, index: SparqIndex, plan: SparqPlan) -> tuple[torch.Tensor, Scratch]:
    out = torch.full_like(batch.q, torch.nan)
    scratch = SparqLaunch(batch, policy, index, SCALE, plan).run(out)
    return out, scratch


def assert_gives(batch: PagedBatch, out: torch.Tensor, expected: torch.Tensor) -> None:
    rows = int(batch.query_starts[-1])
    assert_near(out[:rows], expected[:rows])
    assert out[rows:].isnan().all()
    assert len(out) - rows == PADDING_ROWS


SHAPES = [
    (Case(BF16, 4, 128, 16, [(1, 100), (1, 1)], kv_heads=2), Sparq(32, 12, 4, 8), cut(chunk=64, tile=16)),
    (Case(FP16, 7, 64, 64, [(1, 129), (0, 0), (1, 63)]), Sparq(16, 20, 1, 0), cut(splits=2)),
    (Case(FP32, 1, 80, 32, [(1, 90), (1, 0)]), Sparq(20, 9, 3, 10), cut(tile=16, splits=4)),
    (Case(BF16, 8, 96, 256, [(1, 270), (1, 255)]), Sparq(48, 33, 8, 0), cut(chunk=128, tile=64)),
    (Case(FP16, 3, 256, 48, [(1, 150), (1, 60)]), Sparq(64, 50, 12, 70), cut()),
    (Case(BF16, 5, 128, 32, [(1, 200)]), Sparq(16, 8, 2, 0), cut(chunk=32, splits=2, max_candidates=16)),
    (Case(FP32, 2, 64, 16, [(1, 128), (1, 200)]), Sparq(8, 70, 10, 0), cut(max_candidates=128)),
]


@pytest.mark.parametrize(("case", "policy", "plan"), SHAPES, ids=lambda value: str(value)[:60])
def test_kernels_give_the_definition(case: Case, policy: Sparq, plan: SparqPlan) -> None:
    batch = make_batch(case)
    out, _ = run(batch, policy, indexed(batch), plan)
    assert_gives(batch, out, sparq_attention_reference(batch, policy, SCALE))


def test_the_chosen_tokens_are_the_best_and_listed_in_order() -> None:
    """Whichever way they are narrowed down; the local ones among them."""
    batch = make_batch(Case(FP32, 4, 64, 32, [(1, 210)]))
    policy = Sparq(16, 24, 6, 0)
    ways = [cut(), cut(chunk=128, max_candidates=64), cut(chunk=16, max_candidates=64), cut(chunk=256, splits=4)]
    chosen = [run(batch, policy, indexed(batch), way)[1].selected for way in ways]
    for other in chosen[1:]:
        assert torch.equal(other, chosen[0])
    assert (chosen[0].diff(dim=-1) > 0).all()
    assert torch.equal(chosen[0][0, 0, -6:], torch.arange(204, 210, dtype=torch.int32))


def test_of_equal_estimates_the_earlier_token_is_chosen_and_of_equal_magnitudes_the_lower_component() -> None:
    batch = make_batch(Case(FP32, 2, 64, 16, [(1, 100)]))
    batch.q[0] = 1.0
    # Component 0 to 7 decide; tokens 10, 11, 12 and so on are the same there.
    pages, slots = batch.block_table[0, torch.arange(100) // 16].long(), torch.arange(100) % 16
    batch.k_pages[pages, slots] = torch.randn(100, 1, 64, generator=torch.Generator().manual_seed(3))
    batch.k_pages[pages[10:], slots[10:], 0, :8] = 2.0
    policy = Sparq(8, 30, 1, 0)
    for way in (cut(), cut(chunk=16, max_candidates=64)):
        out, scratch = run(batch, policy, indexed(batch), way)
        assert scratch.selected[0, 0].tolist() == [*range(10, 39), 99]
        assert_gives(batch, out, sparq_attention_reference(batch, policy, SCALE))


@pytest.mark.parametrize("dense_tokens", [0, 1000])
def test_all_components_and_all_keys_are_full_attention(dense_tokens: int) -> None:
    batch = make_batch(Case(FP16, 4, 64, 16, [(1, 70), (1, 33)]))
    policy = Sparq(64, 70, 4, dense_tokens)
    out, _ = run(batch, policy, indexed(batch), cut(splits=2))
    right = paged_attention_reference(batch, SCALE).out
    assert_gives(batch, out, right)
    torch.testing.assert_close(sparq_attention_reference(batch, policy, SCALE), right)


def test_short_requests_are_attended_over_whole_beside_long_ones() -> None:
    batch = make_batch(Case(FP32, 4, 64, 16, [(1, 40), (1, 41)]))
    policy = Sparq(16, 10, 2, 40)
    out, _ = run(batch, policy, indexed(batch), cut())
    right = paged_attention_reference(batch, SCALE).out
    assert_near(out[0], right[0])
    assert (out[1] - right[1]).abs().max() > 0.01


def test_short_requests_need_no_index() -> None:
    batch = make_batch(Case(FP32, 2, 64, 16, [(1, 40)]))
    index = make_index(batch.k_pages)
    assert index.columns is not None
    index.columns.fill_(torch.nan)
    index.v_sums.fill_(torch.nan)
    out, _ = run(batch, Sparq(16, 10, 1, 64), index, cut())
    assert_gives(batch, out, paged_attention_reference(batch, SCALE).out)


def test_the_estimate_reads_the_columns_and_sums_of_the_index() -> None:
    """The reference does not; so here they say something else than the pages, of full pages only."""
    batch = make_batch(Case(FP32, 2, 64, 16, [(1, 100)]))
    policy, index = Sparq(64, 99, 1, 0), indexed(batch)
    _, scratch = run(batch, policy, index, cut())
    left_out = next(token for token in range(100) if token not in scratch.selected[0, 0])
    assert index.columns is not None
    loved = replace(index, columns=index.columns.clone())
    loved.columns[batch.block_table[0, left_out // 16].long(), :, :, left_out % 16] = 10 * batch.q[0].sum(0)
    assert left_out in run(batch, policy, loved, cut())[1].selected[0, 0]
    narrow = replace(policy, keys=10)
    before, _ = run(batch, narrow, index, cut())
    after, _ = run(batch, narrow, replace(index, v_sums=index.v_sums + 16), cut())
    assert not torch.allclose(before[0], after[0], atol=1e-3)
    assert index.v_sums[batch.block_table[0, 6].long()].isnan().all()


def test_keys_stored_once_give_the_same() -> None:
    batch = make_batch(Case(BF16, 4, 128, 64, [(1, 130)]))
    pages = transposed_pages(tuple(batch.k_pages.shape), BF16, batch.q.device)
    pages.copy_(batch.k_pages)
    once, policy = replace(batch, k_pages=pages), Sparq(32, 16, 4, 0)
    out, _ = run(once, policy, SparqIndex(indexed(batch).v_sums), cut())
    twice, _ = run(batch, policy, indexed(batch), cut())
    assert torch.equal(out[0], twice[0])


@pytest.mark.parametrize("splits", [1, 2])
def test_strides_of_any_order_are_followed(splits: int) -> None:
    batch = make_batch(Case(FP32, 2, 64, 16, [(1, 60), (1, 9)], kv_heads=2))
    index = indexed(batch)
    assert index.columns is not None
    askew = SparqIndex(index.v_sums.mT.contiguous().mT, index.columns.transpose(1, 3).contiguous().transpose(1, 3))
    policy = Sparq(20, 8, 2, 0)
    out = scattered(batch).out
    SparqLaunch(strided(batch), policy, askew, SCALE, cut(splits=splits)).run(out)
    assert_gives(batch, out, sparq_attention_reference(batch, policy, SCALE))


@pytest.mark.parametrize("tile", [16, 32])
@pytest.mark.parametrize("tokens", [64, 60])
def test_tables_past_two_to_the_31_numbers_are_followed(tokens: int, tile: int) -> None:
    """By the estimate, where a page holds a tile and where not, by the sums of full pages and of the last, and by the
    exact attention.
    """
    batch = make_batch(Case(FP32, 4, 64, 16, [(1, tokens)]))
    policy = Sparq(16, 20, 1, 0)
    out, _ = run(far_columns(batch), policy, indexed(batch), cut(tile=tile))
    assert_gives(batch, out, sparq_attention_reference(batch, policy, SCALE))


def test_pages_past_two_to_the_31_elements_are_found() -> None:
    """By decode, and by the writer before it."""
    count = 2**31 // (16 * 64) + 2
    batch = make_batch(Case(FP16, 4, 64, 16, [(1, 16)]))
    written = batch.block_table[0, :1].long()
    table = torch.tensor([[count - 1]], dtype=torch.int32)
    pages, columns = vast((count, 16, 1, 64), FP16), vast((count, 1, 64, 16), FP16)
    away = replace(batch, k_pages=pages, v_pages=pages, block_table=table)
    index = SparqIndex(vast((count, 1, 64), FP32), columns)
    rows = batch.v_pages[written].view(16, 1, 64)
    prompt = replace(away, q=torch.zeros(16, 4, 64, dtype=FP16), query_starts=torch.tensor([0, 16], dtype=torch.int32))
    append(replace(prompt, max_query_len=16), rows, rows, index)
    policy = Sparq(16, 8, 1, 0)
    out, _ = run(away, policy, index, cut())
    assert_gives(away, out, sparq_attention_reference(replace(batch, k_pages=batch.v_pages), policy, SCALE))


def test_nobody_to_answer_is_no_launch() -> None:
    pages = torch.empty(1, 16, 4, 64)
    nobody, table = torch.empty(0, 4, 64), torch.empty(0, 1, dtype=torch.int32)
    starts = torch.zeros(1, dtype=torch.int32)
    empty = PagedBatch(nobody, pages, pages, table, table[:, 0], starts, max_query_len=1)
    run(empty, Sparq(16, 8, 1, 0), make_index(pages), cut())
    append(empty, nobody, nobody, make_index(pages))


def paper(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mean: torch.Tensor, r: int, count: int) -> torch.Tensor:
    """Algorithm 1 of the paper for one head, as it is printed: `q` and `mean` [D], `k` and `v` [s, D]."""
    size = q.shape[0]
    i1 = torch.topk(q.abs(), r).indices
    tau = torch.sqrt(size * q[i1].abs().sum() / q.abs().sum())
    s_hat = torch.softmax(q[i1] @ k[:, i1].T / tau, -1)
    # Forcing the current token is the authors' programs', not the algorithm's.
    i2 = torch.topk(torch.cat((s_hat[:-1], s_hat.new_tensor([torch.inf]))), count).indices
    alpha = s_hat[i2].sum()
    s = torch.softmax(q @ k[i2].T / size**0.5, -1)
    return alpha * (s @ v[i2]) + (1 - alpha) * mean


def test_one_query_head_a_key_head_is_the_papers_algorithm() -> None:
    """So are the kernels, over tokens that came one at a time, with the mean kept up as the paper's programs do."""
    case = Case(FP32, 1, 64, 16, [(1, 120)], kv_heads=2)
    batch, policy = make_batch(case), Sparq(16, 12, 1, 0)
    out, _ = run(batch, policy, indexed(batch), cut())
    at = torch.arange(120)
    pages, slots = batch.block_table[0, at // 16].long(), at % 16
    for head in range(2):
        k, v = (cache[pages, slots, head].double() for cache in (batch.k_pages, batch.v_pages))
        mean = torch.zeros(64, dtype=torch.float64)
        for seen, value in enumerate(v):
            mean = (mean * seen + value) / (seen + 1)
        expected = paper(batch.q[0, head].double(), k, v, mean, policy.components, policy.keys)
        assert_near(out[0, head], expected)


def authors_grouped(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, r: int, count: int, local: int) -> torch.Tensor:
    """The authors' form for grouped queries, of their `ann_attention`: `q` [G, D], `k` and `v` [s, D].

    Its `count` and `local` leave the current token out.
    """
    size, tokens = q.shape[1], k.shape[0]
    i1 = torch.topk(q.abs().sum(0), r).indices
    scale = torch.sqrt(size * q[:, i1].abs().sum(-1, keepdim=True) / q.abs().sum(-1, keepdim=True))
    estimated = q[:, i1] @ k[:, i1].T / scale
    weights = torch.softmax(estimated, -1)
    is_local = torch.arange(tokens) >= tokens - 1 - local
    i2 = torch.topk(torch.where(is_local, torch.finfo(q.dtype).max / len(q), estimated).sum(0), count + 1).indices
    found = weights[:, i2].sum(-1, keepdim=True)
    exact = torch.softmax(q @ k[i2].T / size**0.5, -1) @ v[i2]
    return found * exact + (1 - found) * v.mean(0)


@pytest.mark.parametrize("group", [1, 4, 7])
def test_a_group_of_query_heads_is_the_authors_form(group: int) -> None:
    batch = make_batch(Case(FP32, group, 64, 32, [(1, 140)]))
    out, _ = run(batch, Sparq(24, 17, 5, 0), indexed(batch), cut())
    at = torch.arange(140)
    k, v = (
        cache[batch.block_table[0, at // 32].long(), at % 32, 0].double() for cache in (batch.k_pages, batch.v_pages)
    )
    expected = authors_grouped(batch.q[0].double(), k, v, r=24, count=16, local=4)
    assert_near(out[0], expected)


def test_a_query_of_zeros_estimates_every_token_alike() -> None:
    batch = make_batch(Case(FP32, 2, 64, 16, [(1, 50)]))
    batch.q[0, 0] = 0.0
    policy = Sparq(16, 10, 1, 0)
    out, _ = run(batch, policy, indexed(batch), cut())
    assert_gives(batch, out, sparq_attention_reference(batch, policy, SCALE))


def test_cutting_depends_on_shapes_and_keeps_candidates_few() -> None:
    gpu = Gpu(capability=9, processors=132)
    batch = make_batch(Case(FP16, 4, 128, 64, [(1, 64)], kv_heads=8))
    for requests, pages in ((1, 16), (1, 2048), (8, 512), (64, 512)):
        for keys in (64, 128, 1024, 8192):
            table = torch.zeros(requests, pages, dtype=torch.int32)
            lens, starts = torch.zeros(requests, dtype=torch.int32), torch.zeros(requests + 1, dtype=torch.int32)
            shaped = replace(batch, block_table=table, seq_lens=lens, query_starts=starts)
            policy = Sparq(32, keys)
            plan = plan_sparq(shaped, policy, gpu)
            stages = Stages.of(shaped, policy, plan)
            assert stages.block <= plan.max_candidates
            assert stages.block <= plan.tiling.warps * 1024
            for tiling in (plan.estimate, plan.tiling):
                assert (tiling.registers or 0) * 32 * tiling.warps <= 65536
            assert stages.width >= max(pages * 64, plan.chunk)
            assert len(stages.counts) <= 4


def test_large_tiles_of_float32_have_all_registers_of_a_thread_however_many_candidates_there_are() -> None:
    """Of more threads none could have as many, and Triton 3.7 needs them."""
    batch = make_batch(Case(FP32, 4, 256, 64, [(1, 64)]))
    long = replace(batch, block_table=torch.zeros(1, 2048, dtype=torch.int32))
    policy = Sparq(64, 8192, 2048)
    for capability in (8, 9):
        plan = plan_sparq(long, policy, Gpu(capability, processors=132))
        assert Stages.of(long, policy, plan).block == plan.max_candidates
        assert (plan.tiling.warps, plan.tiling.registers) == (8, 255)


@pytest.mark.parametrize(("page_size", "run"), [(16, 16), (48, 16), (64, 64), (256, 128)])
def test_tokens_side_by_side_are_promised_where_they_are(page_size: int, run: int) -> None:
    """The interpreter would not notice a false promise."""
    columns = torch.empty(3, 2, 64, page_size)
    assert contiguous_run(columns, tile=128) == run
    assert contiguous_run(torch.empty(3, 1 + 2 * 64 * page_size)[:, 1:].view(3, 2, 64, page_size), tile=128) == 1
    assert contiguous_run(columns.transpose(2, 3).contiguous().transpose(2, 3), tile=128) == 1
