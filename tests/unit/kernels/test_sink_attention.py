"""The kernel of sinks and window, interpreted, against its definition in float64 and against the paper's own cache."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
import torch
from angles_kernel import angles_kernel
from paged_cases import (
    LSE_TOLERANCE,
    TOLERANCES,
    TURNED_LSE_TOLERANCES,
    Case,
    assert_attends,
    far_away,
    make_batch,
    poisoned,
    scattered,
    strided,
)

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.launching import Plan
from abaci.backend.kernels.common.reference import paged_attention_reference
from abaci.backend.kernels.common.tiling import Tiling
from abaci.backend.kernels.sink.op import launch
from abaci.backend.kernels.sink.policy import Rotary, SinkWindow
from abaci.backend.kernels.sink.reference import rotate, sink_attention_reference

BF16, FP16, FP32 = torch.bfloat16, torch.float16, torch.float32
SCALE = 0.125


def rotary(pairs: int, is_neox: bool = True) -> Rotary:
    return Rotary(10000.0 ** (-torch.arange(pairs) / pairs), is_neox)


SHAPES = [
    (Case(BF16, 4, 128, 16, [(1, 1), (1, 5), (1, 100)], kv_heads=2), SinkWindow(4, 20, "cache", rotary(64)), 1, 32),
    (Case(FP16, 7, 64, 64, [(1, 65), (0, 0), (1, 200)]), SinkWindow(4, 70, "cache", rotary(16)), 4, 32),
    (Case(FP32, 1, 80, 32, [(1, 150), (1, 0)]), SinkWindow(40, 33, "cache", rotary(40, is_neox=False)), 8, 16),
    (Case(FP32, 8, 96, 16, [(6, 60), (1, 17)]), SinkWindow(4, 16, "cache", rotary(48)), 1, 16),
    (Case(BF16, 5, 256, 48, [(5, 120)]), SinkWindow(50, 10), 2, 32),
    (Case(FP16, 2, 64, 16, [(33, 40), (2, 2)]), SinkWindow(0, 1), 1, 16),
    (Case(FP16, 3, 64, 128, [(1, 140)]), SinkWindow(300, 10), 1, 64),
    (Case(BF16, 3, 80, 16, [(9, 50), (1, 33)]), SinkWindow(3, 8, "cache", rotary(10, is_neox=False)), 2, 16),
]


def clear_gaps(batch: PagedBatch, policy: SinkWindow) -> PagedBatch:
    """The batch after the pages that no query sees were freed: their entries point to a page that is all NaN."""
    freed = batch.k_pages.shape[0]
    k, v = (torch.cat((pages, torch.full_like(pages[:1], torch.nan))) for pages in (batch.k_pages, batch.v_pages))
    table = batch.block_table.clone()
    query_lens = batch.query_starts.diff().tolist()
    for row, (tokens, queries) in enumerate(zip(batch.seq_lens.tolist(), query_lens, strict=True)):
        first_gap = -(-policy.n_sinks // batch.page_size)
        table[row, first_gap : max(tokens - queries - policy.window + 1, 0) // batch.page_size] = freed
    return replace(batch, k_pages=k, v_pages=v, block_table=table)


@pytest.mark.parametrize(("case", "policy", "splits", "tile"), SHAPES, ids=lambda value: str(value)[:60])
def test_kernel_gives_the_definition_and_reads_no_freed_page(
    case: Case, policy: SinkWindow, splits: int, tile: int
) -> None:
    batch = make_batch(case)
    freed = clear_gaps(batch, policy)
    result = poisoned(freed)
    launch(freed, policy, SCALE, None, result, Plan(Tiling(16, tile, warps=4, stages=1), splits))
    lse_tolerance = TURNED_LSE_TOLERANCES[case.dtype] if policy.positions == "cache" else LSE_TOLERANCE
    assert_attends(result, sink_attention_reference(batch, policy, SCALE), batch, lse_tolerance)


def test_the_shapes_have_pages_to_free() -> None:
    """Otherwise the test above would say nothing about them."""
    freeing = [clear_gaps(make_batch(case), policy) for case, policy, _, _ in SHAPES]
    assert sum(bool((batch.block_table == batch.k_pages.shape[0] - 1).any()) for batch in freeing) >= 4


@pytest.mark.parametrize("dtype", [BF16, FP16, FP32])
@pytest.mark.parametrize("splits", [1, 4])
def test_learned_logits_take_their_share_once(splits: int, dtype: torch.dtype) -> None:
    """-inf is a head without one; a row that sees no key has the logit, of whatever type, for its log-sum-exp."""
    batch = make_batch(Case(FP32, 4, 64, 16, [(1, 50), (2, 9), (1, 0)]))
    logits = torch.tensor([1.7, -torch.inf, 0.0, 8.3]).to(dtype)
    policy = SinkWindow(4, 30)
    result = poisoned(batch)
    launch(batch, policy, SCALE, logits, result, Plan(Tiling(16, 16, warps=4, stages=1), splits))
    assert_attends(result, sink_attention_reference(batch, policy, SCALE, logits), batch)
    torch.testing.assert_close(result.lse[3], logits.float())
    assert (result.out[3] == 0).all()


def test_a_learned_logit_is_a_key_without_a_value() -> None:
    """The definition itself: one more score in the softmax, as gpt-oss has it."""
    batch = make_batch(Case(FP32, 2, 64, 16, [(1, 20)]))
    logits = torch.tensor([0.7, -1.2])
    attended = sink_attention_reference(batch, SinkWindow(4, 100), SCALE, logits)
    plain = paged_attention_reference(batch, SCALE)
    share = torch.exp(plain.lse[0]) / (torch.exp(plain.lse[0]) + torch.exp(logits.double()))
    torch.testing.assert_close(attended.out[0], plain.out[0] * share[:, None])


@pytest.mark.parametrize("positions", ["cache", "absolute"])
def test_a_window_over_everything_is_dense_attention(positions: str) -> None:
    batch = make_batch(Case(FP32, 2, 64, 16, [(3, 20)]))
    policy = SinkWindow(4, 20, "cache" if positions == "cache" else "absolute", rotary(32))
    attended = sink_attention_reference(batch, policy, SCALE)
    torch.testing.assert_close(attended.out, paged_attention_reference(batch, SCALE).out)


@pytest.mark.parametrize("splits", [1, 2])
@pytest.mark.parametrize(("n_sinks", "window"), [(0, 2**31 - 1), (4, 2**31 - 5), (2**31 - 2, 1)])
@pytest.mark.parametrize("positions", ["cache", "absolute"])
def test_the_largest_window_and_the_most_sinks_are_dense_attention(
    positions: Literal["cache", "absolute"], n_sinks: int, window: int, splits: int
) -> None:
    """Also for requests of more queries than tokens, whose first positions are negative: int32 must hold it all."""
    batch = make_batch(Case(FP32, 2, 64, 16, [(5, 2), (3, 40), (1, 0)]))
    policy = SinkWindow(n_sinks, window, positions, rotary(32))
    result = poisoned(batch)
    launch(batch, policy, SCALE, None, result, Plan(Tiling(16, 16, warps=4, stages=1), splits))
    assert_attends(result, paged_attention_reference(batch, SCALE), batch)


class ReRotatingCache:
    """The paper's cache for one head, as published: keys kept without rotation, all rotated anew at every step."""

    def __init__(self, policy: SinkWindow, embedding: Rotary) -> None:
        self.policy, self.embedding = policy, embedding
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []

    def step(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """The output [D] for a new token's query, key and value [D], none of them rotated."""
        self.keys.append(k)
        self.values.append(v)
        if len(self.keys) > self.policy.size:
            del self.keys[self.policy.n_sinks], self.values[self.policy.n_sinks]
        places = torch.arange(len(self.keys))[:, None]
        keys = rotate(torch.stack(self.keys)[:, None], places, self.embedding)[:, 0]
        query = rotate(q[None, None], places[-1:], self.embedding)[0, 0]
        return torch.softmax(keys @ query * SCALE, 0) @ torch.stack(self.values)


@pytest.mark.parametrize("is_neox", [True, False])
def test_cache_positions_are_the_papers(is_neox: bool) -> None:
    """Decoding and prefilling with keys left at their absolute positions give what re-rotating them all gives."""
    tokens, embedding = 90, rotary(32, is_neox)
    policy = SinkWindow(4, 16, "cache", embedding)
    plain = torch.randn(3, tokens, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    cache = ReRotatingCache(policy, embedding)
    paper = torch.stack([cache.step(*token) for token in plain.unbind(1)])

    batch = make_batch(Case(FP32, 1, 64, 16, [(10, tokens)]))
    turned = rotate(plain[:2].transpose(0, 1), torch.arange(tokens)[:, None], embedding)
    at = torch.arange(tokens)
    pages = batch.block_table[0, at // 16].long(), at % 16
    batch.k_pages[(*pages, 0)] = turned[:, 1].float()
    batch.v_pages[(*pages, 0)] = plain[2].float()
    batch.q[:10, 0] = turned[-10:, 0].float()
    result = poisoned(batch)
    launch(batch, policy, SCALE, None, result, Plan(Tiling(16, 16, warps=4, stages=1), splits=2))
    # The last token's score differs by the rotation's rounding: an angle of 90 radians has 1e-5 of its own.
    torch.testing.assert_close(result.out[:10, 0].double(), paper[-10:], atol=2 * TOLERANCES[FP32], rtol=1e-4)


def test_positions_matter_past_the_cache() -> None:
    """The two ways differ once tokens were evicted: the test above would not pass for either."""
    batch = make_batch(Case(FP32, 1, 64, 16, [(1, 90)]))
    inside, absolute = (
        sink_attention_reference(batch, SinkWindow(4, 16, positions, rotary(32)), SCALE).out[0]
        for positions in ("cache", "absolute")
    )
    assert (inside - absolute).abs().max() > 0.01


def test_angles_of_long_contexts_stay_exact() -> None:
    """A query far from the sinks: the turns taken off are thousands."""
    batch = make_batch(Case(FP32, 1, 64, 16, [(1, 40)]))
    policy = SinkWindow(20, 1, "cache", Rotary(torch.full((32,), 700.0)))
    result = poisoned(batch)
    launch(batch, policy, SCALE, None, result, Plan(Tiling(16, 16, warps=4, stages=1), splits=1))
    assert_attends(result, sink_attention_reference(batch, policy, SCALE), batch)


@pytest.mark.parametrize("largest", [1.0, 1e3, 1e5, 1e6, 5e6])
def test_sine_and_cosine_are_exact_to_a_millionth(largest: float) -> None:
    """The interpreter rounds each product: so they do not lean on a compiler that fuses it with the sum."""
    size = 1 << 17
    angles = (2 * torch.rand(size, generator=torch.Generator().manual_seed(0)) - 1) * largest
    # Next to multiples of a quarter turn, where one of the two is almost 0.
    quarters = torch.linspace(-largest, largest, size // 2, dtype=torch.float64).div(torch.pi / 2).round()
    angles[: size // 2] = (quarters * (torch.pi / 2)).float()
    angles[0] = 0
    sin, cos = torch.empty_like(angles), torch.empty_like(angles)
    angles_kernel[(1,)](angles, sin, cos, SIZE=size)
    torch.testing.assert_close(sin.double(), angles.double().sin(), atol=1e-6, rtol=0)
    torch.testing.assert_close(cos.double(), angles.double().cos(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("splits", [1, 2])
def test_strides_of_any_order_are_followed(splits: int) -> None:
    """By the turned queries as well, whose pairs are gathered."""
    batch = make_batch(Case(FP32, 2, 64, 16, [(2, 50), (1, 9)], kv_heads=2))
    policy, result = SinkWindow(4, 10, "cache", rotary(32)), scattered(batch)
    launch(strided(batch), policy, SCALE, None, result, Plan(Tiling(16, 16, warps=4, stages=1), splits))
    assert_attends(result, sink_attention_reference(batch, policy, SCALE), batch)


def test_pages_past_two_to_the_31_elements_are_found() -> None:
    far, policy = far_away(make_batch(Case(FP16, 4, 64, 16, [(1, 60)]))), SinkWindow(4, 10)
    result = poisoned(far)
    launch(far, policy, SCALE, None, result, Plan(Tiling(16, 16, warps=4, stages=1), splits=1))
    assert_attends(result, sink_attention_reference(far, policy, SCALE), far)
