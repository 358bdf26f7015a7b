"""Every operation, cut as on a GPU and interpreted, over shapes in which each pair of sizes and types meets."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from paged_cases import TURNED_LSE_TOLERANCES, Case, assert_attends, make_batch, poisoned
from shared_prefixes import Shared, make_shared, make_sharing
from test_sink_attention import clear_gaps, rotary
from test_sparq_append import assert_same, copied, nan_index, rows
from test_sparq_attention import assert_gives, indexed

from abaci.backend.kernels.common.launching import Gpu, plan
from abaci.backend.kernels.common.op import launch as launch_dense
from abaci.backend.kernels.common.reference import paged_attention_reference
from abaci.backend.kernels.relay.op import launch as launch_relay
from abaci.backend.kernels.relay.work import choose_cut
from abaci.backend.kernels.sink.op import launch as launch_sink
from abaci.backend.kernels.sink.policy import SinkWindow
from abaci.backend.kernels.sink.reference import sink_attention_reference
from abaci.backend.kernels.sparq.launching import SparqLaunch, append, plan_sparq
from abaci.backend.kernels.sparq.policy import Sparq
from abaci.backend.kernels.sparq.reference import append_tokens_reference, sparq_attention_reference

HEAD_SIZES = (64, 80, 96, 128, 256)
GROUPS = tuple(range(1, 9))
PAGE_SIZES = (16, 32, 64, 128, 256)
TYPES = (torch.bfloat16, torch.float16, torch.float32)
SCALE = 0.125


def shape(size: int, group: int) -> tuple[torch.dtype, int, int, int]:
    """Every head size with every group; pages and types so that they meet each other, and all of those."""
    d, g = HEAD_SIZES.index(size), GROUPS.index(group)
    return TYPES[(d + 2 * g) % len(TYPES)], group, size, PAGE_SIZES[(d + g) % len(PAGE_SIZES)]


SHAPES = [shape(size, group) for size in HEAD_SIZES for group in GROUPS]
every_shape = pytest.mark.parametrize("sizes", SHAPES, ids=lambda sizes: "-".join(map(str, sizes)))


def gpu(sizes: tuple[torch.dtype, int, int, int]) -> Gpu:
    """Ampere for even groups, Hopper for odd ones; with processors for a few splits only."""
    return Gpu(8 + sizes[1] % 2, processors=3)


def test_each_pair_of_sizes_and_types_is_among_the_shapes() -> None:
    for first, second in combinations(zip(*SHAPES, strict=True), 2):
        assert len(set(zip(first, second, strict=True))) == len(set(first)) * len(set(second))


@every_shape
@pytest.mark.parametrize("queries", [1, 6])
def test_dense_attention(sizes: tuple[torch.dtype, int, int, int], queries: int) -> None:
    batch = make_batch(Case(*sizes, [(queries, sizes[3] + 9), (1, 2)]))
    result = poisoned(batch)
    launch_dense(batch, SCALE, None, result, plan(batch, gpu(sizes)))
    assert_attends(result, paged_attention_reference(batch, SCALE), batch)


@every_shape
@pytest.mark.parametrize("queries", [1, 6])
def test_sinks_and_window(sizes: tuple[torch.dtype, int, int, int], queries: int) -> None:
    """With cache positions and learned logits together; some pages are free where pages are small."""
    dtype, _, size, page_size = sizes
    batch = make_batch(Case(*sizes, [(queries, min(2 * page_size, 150) + 60), (1, 2)]))
    policy = SinkWindow(4, 24, "cache", rotary(size // 2))
    logits = torch.linspace(-1, 2, batch.q_heads)
    freed, result = clear_gaps(batch, policy), poisoned(batch)
    cut = plan(batch, gpu(sizes), policy.size + queries, kernel="turned")
    launch_sink(freed, policy, SCALE, logits, result, cut)
    expected = sink_attention_reference(batch, policy, SCALE, logits)
    assert_attends(result, expected, batch, TURNED_LSE_TOLERANCES[dtype])


@every_shape
def test_relay(sizes: tuple[torch.dtype, int, int, int]) -> None:
    """Decode, with a few queries of a prompt beside it where head sizes are powers of two."""
    page_size = sizes[3]
    queries = 6 if sizes[2] in (64, 128, 256) else 1
    case = Case(*sizes, [(queries, page_size + 8), (1, page_size + 1), (1, page_size + 3)])
    batch, cut = make_shared(case, [Shared(0, [1, 2], 1)]), choose_cut(make_batch(case), gpu(sizes))
    sharing, result = make_sharing(batch, cut), poisoned(batch)
    assert sharing.groups.ends[0].tolist() == [page_size] * 3
    launch_relay(batch, sharing, SCALE, result, cut)
    assert_attends(result, paged_attention_reference(batch, SCALE), batch)


@every_shape
def test_sparq(sizes: tuple[torch.dtype, int, int, int]) -> None:
    """One request by its components, beside one that is short enough to be read whole."""
    batch, policy = make_batch(Case(*sizes, [(1, sizes[3] + 60), (1, 20)])), Sparq(sizes[2] // 4, 18, 3, 20)
    out = torch.full_like(batch.q, torch.nan)
    SparqLaunch(batch, policy, indexed(batch), SCALE, plan_sparq(batch, policy, gpu(sizes))).run(out)
    assert_gives(batch, out, sparq_attention_reference(batch, policy, SCALE))


@every_shape
def test_append(sizes: tuple[torch.dtype, int, int, int]) -> None:
    """One token that fills a page, beside some of a prompt."""
    batch = make_batch(Case(*sizes, [(20, sizes[3] + 5), (1, sizes[3])]))
    other, index, expected = copied(batch), nan_index(batch), nan_index(batch)
    k, v = rows(batch)
    append(batch, k, v, index)
    append_tokens_reference(other, k, v, expected)
    assert_same(batch, index, other, expected)
