"""The kernel that reads shared pages once, interpreted, against attention written out in float64."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from paged_cases import Case, assert_attends, far_away, make_batch, poisoned, scattered, strided
from shared_prefixes import EAGER, Shared, make_cut, make_shared, make_sharing

from abaci.backend.kernels.common.batch import Attended, PagedBatch
from abaci.backend.kernels.common.reference import paged_attention_reference
from abaci.backend.kernels.relay.groups import find_groups
from abaci.backend.kernels.relay.op import Sharing, launch
from abaci.backend.kernels.relay.policy import RelayPolicy
from abaci.backend.kernels.relay.reference import merge, relay_attention_reference
from abaci.backend.kernels.relay.work import Cut

BF16, FP16, FP32 = torch.bfloat16, torch.float16, torch.float32
SCALE = 0.125

ONE = (1, 90)
SHAPES = [
    # One group of all, then two groups among requests that share nothing or have no tokens.
    (Case(BF16, 4, 128, 16, [ONE, (1, 65), (1, 130), ONE], kv_heads=2), [Shared(0, [1, 2, 3], 4)], make_cut(64, 32, 3)),
    (
        Case(FP16, 7, 64, 32, [(1, 97), (1, 70), (0, 0), (1, 97), (1, 0), (1, 40), (1, 99)]),
        [Shared(0, [3], 3), Shared(1, [6], 2)],
        make_cut(16, 32, 4),
    ),
    # Two levels, the second of two groups.
    (
        Case(FP32, 1, 80, 16, [ONE] * 5 + [(1, 40)], kv_heads=2),
        [Shared(0, [1, 2, 3, 4, 5], 2), Shared(1, [3], 5), Shared(2, [4], 4)],
        make_cut(16, 16, 2),
    ),
    # More rows than a block has: nine requests of eight heads, and thirteen of five, whose blocks do not fill.
    (
        Case(BF16, 8, 96, 64, [(1, 65 + each) for each in range(9)]),
        [Shared(0, list(range(1, 9)), 1)],
        make_cut(64, 32, 2),
    ),
    (Case(FP16, 5, 64, 16, [(1, 40)] * 13), [Shared(0, list(range(1, 13)), 2)], make_cut(64, 16, 1)),
    # One page is a prefix; a page of no power of two; half a tile.
    (Case(FP16, 3, 256, 256, [(1, 257), (1, 280)]), [Shared(0, [1], 1)], make_cut(16, 32, 2)),
    (Case(BF16, 2, 64, 48, [(1, 100), (1, 97)]), [Shared(0, [1], 2)], make_cut(16, 64, 3)),
    # Several queries a request, up to more than a block.
    (Case(FP32, 6, 64, 16, [(2, 70), (3, 71), (1, 64)]), [Shared(0, [1, 2], 4)], make_cut(16, 16, 3)),
    (Case(BF16, 4, 80, 128, [(20, 150), (1, 140)]), [Shared(0, [1], 1)], make_cut(64, 64, 1)),
]


def hide_shared(batch: PagedBatch, sharing: Sharing) -> PagedBatch:
    """The followers' own entries for what they share lead to a page that is all NaN: only their leader's will do."""
    k, v = (torch.cat((pages, torch.full_like(pages[:1], torch.nan))) for pages in (batch.k_pages, batch.v_pages))
    table = batch.block_table.clone()
    above = torch.zeros(batch.requests, dtype=torch.int64)
    for leaders, ends in zip(sharing.groups.leaders, sharing.groups.ends, strict=True):
        for request in (leaders != torch.arange(batch.requests)).nonzero().flatten().tolist():
            table[request, above[request] // batch.page_size : ends[request] // batch.page_size] = len(batch.k_pages)
        above = ends
    return replace(batch, k_pages=k, v_pages=v, block_table=table)


def attend(batch: PagedBatch, cut: Cut, policy: RelayPolicy = EAGER) -> Sharing:
    sharing = make_sharing(batch, cut, policy)
    result = poisoned(batch)
    launch(hide_shared(batch, sharing), sharing, SCALE, result, cut)
    assert_attends(result, paged_attention_reference(batch, SCALE), batch)
    assert sharing.arrivals.eq(0).all()
    return sharing


@pytest.mark.parametrize(("case", "shared", "cut"), SHAPES, ids=lambda value: str(value)[:50])
def test_kernel_gives_full_attention_and_reads_shared_pages_through_their_leader(
    case: Case, shared: list[Shared], cut: Cut
) -> None:
    sharing = attend(make_shared(case, shared), cut)
    assert (sharing.groups.ends[0] > 0).sum() >= 2


def test_several_pieces_of_each_kind_merge() -> None:
    """Both levels and the own part are divided: some query has three kinds of partial results and at least six."""
    case = Case(FP32, 4, 64, 16, [(1, 700)] * 3)
    batch = make_shared(case, [Shared(0, [1, 2], 18), Shared(1, [2], 30)])
    sharing = attend(batch, make_cut(16, 16, 20))
    number = sharing.work.parts[:, 2]
    assert ((number > 0).all(0) & (number.sum(0) >= 6)).any()


@pytest.mark.parametrize("order", ["last first", "any"])
def test_whoever_comes_last_merges(order: str) -> None:
    """Here programs run in the order of the list, in which groups are first and merge nothing; on a GPU in any."""
    batch = make_shared(Case(FP16, 7, 64, 16, [(1, 200)] * 11, kv_heads=2), [Shared(0, list(range(1, 11)), 6)])
    cut = make_cut(64, 16, 6)
    sharing = make_sharing(batch, cut)
    items = sharing.work.items
    shuffled = torch.randperm(len(items), generator=torch.Generator().manual_seed(0))
    items = items.flip(0) if order == "last first" else items[shuffled]
    result = poisoned(batch)
    launch(batch, replace(sharing, work=replace(sharing.work, items=items.contiguous())), SCALE, result, cut)
    assert_attends(result, paged_attention_reference(batch, SCALE), batch)
    assert sharing.arrivals.eq(0).all()


def test_a_prefix_that_is_everything_leaves_an_empty_rest() -> None:
    """The last page is full and all of it shared: what is left for the request alone is nothing, at -inf."""
    batch = make_shared(Case(FP32, 2, 64, 16, [(1, 48)] * 3), [Shared(0, [1, 2], 3)])
    assert attend(batch, make_cut(16, 16, 2)).groups.ends[0].tolist() == [48] * 3


def test_rows_without_any_key_are_zero_and_minus_infinity() -> None:
    batch = make_shared(Case(FP16, 7, 64, 16, [(1, 40), (1, 40), (1, 0), (3, 1)]), [Shared(0, [1], 2)])
    cut = make_cut(64, 16, 2)
    result = poisoned(batch)
    launch(batch, make_sharing(batch, cut), SCALE, result, cut)
    assert_attends(result, paged_attention_reference(batch, SCALE), batch)
    assert (result.out[2:5] == 0).all()
    assert (result.lse[2:5] == -torch.inf).all()


def test_given_up_groups_leave_plain_attention() -> None:
    batch = make_shared(Case(FP16, 4, 64, 16, [(1, 90), (1, 200), (1, 30)]), [Shared(0, [1], 5)])
    sharing = attend(batch, make_cut(64, 16, 8), replace(EAGER, min_saved_bytes=1 << 40))
    assert sharing.groups.ends.eq(0).all()
    assert sharing.work.parts[:-1, 2].eq(0).all()


def test_one_sharing_serves_every_layer() -> None:
    """The counters are as they were after each call, whatever the layer's queries, keys and values."""
    cut = make_cut(64, 16, 4)
    shared = [Shared(0, [1, 2], 3)]
    batches = [make_shared(Case(FP32, 8, 64, 16, [(1, 90)] * 3), shared) for _ in range(2)]
    sharing = make_sharing(batches[0], cut)
    for layer, batch in enumerate(batches):
        other = replace(batch, q=batch.q * (1 + layer), v_pages=batch.v_pages - layer)
        result = poisoned(other)
        launch(other, sharing, SCALE, result, cut)
        assert_attends(result, paged_attention_reference(other, SCALE), other)


def test_strides_of_any_order_are_followed() -> None:
    batch = make_shared(Case(FP32, 2, 64, 16, [(2, 50), (1, 49)], kv_heads=2), [Shared(0, [1], 3)])
    askew, cut, result = strided(batch), make_cut(16, 16, 2), scattered(batch)
    launch(askew, make_sharing(askew, cut), SCALE, result, cut)
    assert_attends(result, paged_attention_reference(batch, SCALE), batch)


def test_pages_past_two_to_the_31_elements_are_found() -> None:
    far = far_away(make_shared(Case(FP16, 4, 64, 16, [(1, 20), (1, 20)]), [Shared(0, [1], 1)]))
    cut = make_cut(16, 16, 1)
    result = poisoned(far)
    launch(far, make_sharing(far, cut), SCALE, result, cut)
    assert_attends(result, paged_attention_reference(far, SCALE), far)


def test_nobody_to_answer_is_no_launch() -> None:
    batch = make_batch(Case(FP32, 1, 64, 16, [(1, 5)]))
    nobody = replace(batch, q=batch.q[:0], query_starts=torch.zeros(2, dtype=torch.int32))
    cut = make_cut(16, 16, 1)
    launch(nobody, make_sharing(nobody, cut), SCALE, poisoned(nobody), cut)


@pytest.mark.parametrize(("case", "shared"), [(case, shared) for case, shared, _ in SHAPES[:3]], ids=str)
def test_the_definition_is_full_attention(case: Case, shared: list[Shared]) -> None:
    batch = make_shared(case, shared)
    relayed = relay_attention_reference(batch, find_groups(batch, EAGER), SCALE)
    expected = paged_attention_reference(batch, SCALE)
    torch.testing.assert_close(relayed.out, expected.out, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(relayed.lse, expected.lse, atol=1e-12, rtol=1e-12)


def test_merging_with_nothing_changes_nothing() -> None:
    nothing = Attended(torch.zeros(2, 3, 4), torch.full((2, 3), -torch.inf))
    something = Attended(torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)), torch.ones(2, 3))
    for merged in (merge(nothing, something), merge(something, nothing)):
        assert torch.equal(merged.out, something.out)
        assert torch.equal(merged.lse, something.lse)
    both = merge(nothing, nothing)
    assert torch.equal(both.out, nothing.out)
    assert torch.equal(both.lse, nothing.lse)
