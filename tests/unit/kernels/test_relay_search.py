"""The kernels that find groups and work, interpreted, against their definition in plain torch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from paged_cases import Case
from shared_prefixes import EAGER, Shared, assert_covers, make_cut, make_shared

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.relay.groups import find_groups
from abaci.backend.kernels.relay.policy import RelayPolicy
from abaci.backend.kernels.relay.search.launching import search
from abaci.backend.kernels.relay.work import Cut, cut_work

FP32 = torch.float32
MIXED = [(1, 100), (1, 90), (3, 130), (1, 70), (1, 40), (0, 0), (1, 0), (20, 200)]


def assert_as_defined(batch: PagedBatch, cut: Cut, policy: RelayPolicy = EAGER) -> None:
    groups, work = search(batch, policy, cut)
    right = find_groups(batch, policy)
    assert torch.equal(groups.leaders, right.leaders)
    assert torch.equal(groups.ends, right.ends)
    expected = cut_work(batch, policy, right, cut)
    rows, is_item = int(batch.query_starts[-1]), expected.items[:, 1] > 0
    assert torch.equal(work.tokens[:rows], expected.tokens[:rows])
    assert torch.equal(work.positions[:rows], expected.positions[:rows])
    assert torch.equal(work.parts[..., :rows], expected.parts[..., :rows])
    assert torch.equal(work.items[is_item], expected.items[is_item])
    assert work.items[~is_item, 1].eq(0).all()


@pytest.mark.parametrize(
    ("shared", "cut", "policy"),
    [
        ([], make_cut(64, 16, 4), EAGER),
        ([Shared(0, [2, 1], 5), Shared(0, [1], 3), Shared(0, [3], 2)], make_cut(16, 16, 3), EAGER),
        ([Shared(0, [2, 4, 7], 2), Shared(1, [3], 4), Shared(0, [7], 6)], make_cut(64, 16, 30), EAGER),
        (
            [Shared(0, range(1, 8), 2), Shared(2, [7], 7), Shared(1, [0], 5)],
            make_cut(64, 32, 8),
            replace(EAGER, levels=3),
        ),
        ([Shared(0, range(1, 8), 2), Shared(2, [7], 7)], make_cut(16, 16, 5), replace(EAGER, levels=1, min_requests=3)),
        ([Shared(0, [1, 2], 3), Shared(0, [3], 2)], make_cut(64, 16, 5), replace(EAGER, min_tokens=33)),
    ],
)
def test_groups_and_work_are_as_defined(shared: list[Shared], cut: Cut, policy: RelayPolicy) -> None:
    assert_as_defined(make_shared(Case(FP32, 7, 16, 16, MIXED), shared), cut, policy)


def test_more_requests_and_pages_than_a_program_compares_at_once() -> None:
    """Seventy requests; and rows that are alike for more than 256 pages, of which more than 16 are asked for."""
    many = make_shared(
        Case(FP32, 4, 16, 16, [(1, 40)] * 70), [Shared(1, range(3, 70, 2), 2), Shared(0, range(50, 70, 2), 1)]
    )
    assert_as_defined(many, make_cut(64, 16, 2), replace(EAGER, min_requests=10))
    long = make_shared(Case(FP32, 4, 16, 16, [(1, 5000)] * 3), [Shared(0, [2], 300)])
    assert_as_defined(long, make_cut(64, 64, 6), replace(EAGER, min_tokens=17 * 16))


def test_a_table_of_any_strides_is_followed() -> None:
    batch = make_shared(Case(FP32, 4, 16, 16, MIXED), [Shared(0, [1, 2, 7], 4)])
    wide = torch.full((batch.block_table.shape[1] * 2, batch.requests), 7, dtype=torch.int32)
    wide[::2] = batch.block_table.T
    assert_as_defined(replace(batch, block_table=wide.T[:, ::2]), make_cut(16, 16, 4))


def test_groups_that_do_not_pay_are_given_up() -> None:
    """Queries stand where the groups had put them, which changes nothing."""
    batch = make_shared(Case(FP32, 2, 16, 16, MIXED), [Shared(0, [2, 3], 4)])
    policy, cut = replace(EAGER, min_saved_bytes=1 << 40), make_cut(64, 16, 6)
    groups, work = search(batch, policy, cut)
    assert groups.ends.eq(0).all()
    assert groups.leaders.eq(torch.arange(batch.requests)).all()
    assert work.parts[:-1, 2, : int(batch.query_starts[-1])].eq(0).all()
    assert_covers(batch, policy, cut, work)
