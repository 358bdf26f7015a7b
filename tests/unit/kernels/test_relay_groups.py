"""Which requests share which pages, and whether the list of work that follows covers everything once."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from paged_cases import Case, make_batch
from shared_prefixes import EAGER, Shared, assert_covers, make_cut, make_shared

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.launching import Gpu
from abaci.backend.kernels.relay.groups import Groups, find_groups
from abaci.backend.kernels.relay.policy import RelayPolicy, token_bytes
from abaci.backend.kernels.relay.work import Work, choose_cut, cut_work

P = 16


def make(*tokens: int, shared: list[Shared]) -> PagedBatch:
    return make_shared(Case(torch.float32, 1, 16, P, [(1, each) for each in tokens]), shared)


def found(batch: PagedBatch, policy: RelayPolicy = EAGER) -> list[tuple[list[int], list[int]]]:
    """Leaders and ends of each level."""
    groups = find_groups(batch, policy)
    return list(zip(groups.leaders.tolist(), groups.ends.tolist(), strict=True))


def test_requests_without_common_pages_are_alone() -> None:
    alone = ([0, 1, 2], [0, 0, 0])
    assert found(make(50, 60, 70, shared=[])) == [alone, alone]


def test_all_requests_can_be_one_group() -> None:
    batch = make(50, 60, 70, shared=[Shared(0, [1, 2], 2)])
    assert found(batch) == [([0, 0, 0], [32, 32, 32]), ([0, 1, 2], [32, 32, 32])]


def test_groups_need_not_be_neighbours() -> None:
    batch = make(50, 60, 70, 80, 90, shared=[Shared(0, [2, 4], 2), Shared(1, [3], 3)])
    assert found(batch)[0] == ([0, 1, 0, 1, 0], [32, 48, 32, 48, 32])


def test_a_second_level_lies_within_the_first() -> None:
    batch = make(90, 90, 90, 90, 90, shared=[Shared(0, [1, 2, 3, 4], 2), Shared(1, [3], 5)])
    assert found(batch) == [([0] * 5, [32] * 5), ([0, 1, 2, 1, 4], [32, 80, 32, 80, 32])]


def test_the_shortest_common_run_ends_a_group() -> None:
    """And those who share more of it are the second level."""
    batch = make(90, 90, 90, shared=[Shared(0, [1], 5), Shared(0, [2], 3)])
    assert found(batch) == [([0, 0, 0], [48, 48, 48]), ([0, 0, 2], [80, 80, 48])]


def test_who_shares_too_little_does_not_shorten_the_others() -> None:
    batch = make(90, 90, 90, shared=[Shared(0, [1], 5), Shared(0, [2], 1)])
    assert found(batch, replace(EAGER, min_tokens=33))[0] == ([0, 0, 2], [80, 80, 0])


def test_a_page_is_shared_when_all_of_it_is_seen() -> None:
    """Of 47, 48 and 49 tokens the last query sees two, three and three whole pages."""
    batch = make(47, 48, 49, shared=[Shared(0, [1, 2], 3)])
    assert found(batch) == [([0, 0, 0], [32, 32, 32]), ([0, 1, 1], [32, 48, 48])]


def test_pages_that_an_earlier_query_does_not_see_are_not_shared() -> None:
    case = Case(torch.float32, 1, 16, P, [(1, 64), (3, 64)])
    assert found(make_shared(case, [Shared(0, [1], 4)]))[0] == ([0, 0], [48, 48])


def test_requests_without_queries_belong_nowhere() -> None:
    case = Case(torch.float32, 1, 16, P, [(1, 64), (0, 64), (1, 64), (1, 0)])
    batch = make_shared(case, [Shared(0, [1, 2, 3], 3)])
    assert found(batch)[0] == ([0, 1, 0, 3], [48, 0, 48, 0])


def test_one_common_column_after_a_difference_is_not_a_common_beginning() -> None:
    batch = make(50, 50, shared=[])
    batch.block_table[1, 1] = batch.block_table[0, 1]
    assert found(batch)[0] == ([0, 1], [0, 0])


def test_groups_too_small_or_too_short_are_left_alone() -> None:
    batch = make(90, 90, 90, 90, shared=[Shared(0, [1, 2], 2), Shared(0, [3], 1)])
    assert found(batch, replace(EAGER, min_requests=4))[0] == ([0] * 4, [16] * 4)
    assert found(batch, replace(EAGER, min_requests=5))[0] == ([0, 1, 2, 3], [0] * 4)
    assert found(batch, replace(EAGER, min_tokens=49))[0] == ([0, 1, 2, 3], [0] * 4)


def test_groups_are_given_up_unless_they_save_enough_together() -> None:
    """Two followers and 32 tokens each, then one and 48 more."""
    batch = make(90, 90, 90, shared=[Shared(0, [1, 2], 2), Shared(0, [2], 5)])
    saved = (2 * 32 + 48) * token_bytes(batch)
    assert found(batch, replace(EAGER, min_saved_bytes=saved))[1][1] == [80, 32, 80]
    assert found(batch, replace(EAGER, min_saved_bytes=saved + 1)) == [([0, 1, 2], [0, 0, 0])] * 2


def test_shapes_that_cannot_pay_are_known_beforehand() -> None:
    batch = make_batch(Case(torch.float16, 4, 128, 16, [(1, 1000)] * 8, kv_heads=8))
    assert token_bytes(batch) == 2 * 8 * 128 * 2
    capacity = batch.block_table.shape[1] * 16
    most = 7 * capacity * token_bytes(batch)
    assert RelayPolicy(min_saved_bytes=most).can_pay(batch)
    assert not RelayPolicy(min_saved_bytes=most + 1).can_pay(batch)
    assert not RelayPolicy(min_requests=9).can_pay(batch)
    assert not RelayPolicy(min_tokens=capacity + 1).can_pay(batch)


@pytest.mark.parametrize("wrong", [{"levels": 0}, {"min_requests": 1}, {"min_tokens": 0}, {"min_saved_bytes": -1}])
def test_bad_policies_are_refused_with_the_reason(wrong: dict[str, int]) -> None:
    name, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=f"min_saved_bytes >= 0, not .*{name}={value}"):
        RelayPolicy(**wrong)


def test_programs_are_sized_by_the_gpu_and_tiles_by_its_registers() -> None:
    batch = make_batch(Case(torch.bfloat16, 4, 128, 16, [(1, 40)] * 4, kv_heads=8))
    cut = choose_cut(batch, Gpu(capability=9, processors=132))
    assert (cut.programs, cut.tiling.block_m, cut.tiling.tile) == (132 * 2 // 8, 64, 32)


def check_work(batch: PagedBatch, policy: RelayPolicy, groups: Groups, block_m: int, programs: int) -> Work:
    cut = make_cut(block_m, 16, programs)
    work = cut_work(batch, policy, groups, cut)
    assert_covers(batch, policy, cut, work)
    return work


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_work_covers_each_key_of_each_query_once(data: st.DataObject) -> None:
    """Whatever the groups, the lengths, the tiles and the programs; within the bounds that shapes give."""
    group = data.draw(st.sampled_from([1, 3, 7, 8]))
    lens = st.tuples(st.sampled_from([0, 1, 1, 1, 4, 20]), st.integers(0, 150))
    pairs = data.draw(st.lists(lens, min_size=1, max_size=7))
    requests = [(queries, max(queries, tokens)) for queries, tokens in pairs]
    if all(queries == 0 for queries, _ in requests):
        requests[0] = (1, 5)
    batch = make_batch(Case(torch.float32, group, 16, P, requests))
    for _ in range(data.draw(st.integers(0, 3))):
        rows = data.draw(st.lists(st.integers(0, len(requests) - 1), min_size=2, max_size=5))
        pages = data.draw(st.integers(1, batch.block_table.shape[1]))
        batch.block_table[rows, :pages] = batch.block_table[rows[0], :pages].clone()
    policy = RelayPolicy(data.draw(st.integers(1, 3)), data.draw(st.integers(2, 3)), data.draw(st.integers(1, 40)), 0)
    groups = find_groups(batch, policy)
    check_work(batch, policy, groups, data.draw(st.sampled_from([16, 64])), data.draw(st.integers(1, 40)))


def test_groups_come_first_and_blocks_of_the_same_keys_side_by_side() -> None:
    """Twenty requests of 8 heads are three blocks of 64 rows; their keys are divided, not their order."""
    case = Case(torch.float32, 8, 16, P, [(1, 300)] * 20)
    batch = make_shared(case, [Shared(0, list(range(1, 20)), 16)])
    work = check_work(batch, EAGER, find_groups(batch, EAGER), 64, programs=15)
    assert work.items[:6, [0, 1, 3, 4]].tolist() == [
        [0, 8, 0, 128],
        [8, 8, 0, 128],
        [16, 4, 0, 128],
        [0, 8, 128, 256],
        [8, 8, 128, 256],
        [16, 4, 128, 256],
    ]
    assert work.items[6:26, 4].eq(300).all()
    assert work.items[26:, 1].eq(0).all()


def test_a_long_request_among_short_ones_is_divided_as_finely_as_the_work_is() -> None:
    batch = make(640, 64, 64, 64, shared=[])
    work = check_work(batch, EAGER, find_groups(batch, EAGER), 16, programs=10)
    lengths = (work.items[:, 4] - work.items[:, 3])[work.items[:, 1] > 0]
    assert lengths.max() <= 96
