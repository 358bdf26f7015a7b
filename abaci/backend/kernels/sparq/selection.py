"""Device functions that choose the highest of many numbers. Nothing is sorted: a threshold is found bit by bit."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def in_order(numbers, exists):
    """float32 `numbers` as integers in the same order, those that do not exist below all others."""
    # Those of negative numbers run backwards; -0 is 0.
    bits = numbers.to(tl.int32, bitcast=True)
    bits = tl.where(bits == -0x80000000, 0, bits)
    return tl.where(exists, bits ^ ((bits >> 31) & 0x7FFFFFFF), -0x80000000)


@triton.jit
def cutoff(order, exists, count):
    """The `count` highest numbers, of equal ones the first, or all: above a threshold, or equal before a place."""
    threshold = tl.where(tl.sum((order >= 0).to(tl.int32), 0) >= count, 0, -0x80000000)
    step = tl.full([], 0x40000000, tl.int32)
    while step > 0:
        above = tl.sum((order >= threshold + step).to(tl.int32), 0)
        threshold = tl.where(above >= count, threshold + step, threshold)
        step = tl.where(above == count, 0, step >> 1)
    SIZE: tl.constexpr = order.shape[0]
    place = tl.arange(0, SIZE)
    equal = (order == threshold) & exists
    wanted = count - tl.sum((order > threshold).to(tl.int32), 0)
    are_all = tl.sum(equal.to(tl.int32), 0) <= wanted
    end = tl.where(are_all, SIZE, 0)
    step = tl.where(are_all, 0, SIZE // 2)
    while step > 0:
        before = tl.sum((equal & (place < end + step)).to(tl.int32), 0)
        end = tl.where(before <= wanted, end + step, end)
        step = step >> 1
    return threshold, end


@triton.jit
def is_kept(order, exists, place, threshold, end):
    """Which numbers a cutoff leaves."""
    return (order > threshold) | ((order == threshold) & exists & (place < end))


@triton.jit
def narrowed(count, GROUP: tl.constexpr, K: tl.constexpr):
    """How many of `count` candidates are left when every GROUP of them keeps its K best."""
    return count // GROUP * K + tl.minimum(count % GROUP, K)


@triton.jit
def load_candidates(scores_ptr, listed_ptr, at, exists, IS_LISTED: tl.constexpr):
    """The positions and the scores, as integers in their order, of the candidates `at`."""
    if IS_LISTED:
        positions = tl.load(listed_ptr + at, mask=exists, other=0)
        scores = tl.load(scores_ptr + positions, mask=exists, other=0.0)
    else:
        # Unmasked, and so loaded in wide pieces: there is room for whole blocks.
        positions = at
        scores = tl.load(scores_ptr + at)
    return positions, in_order(scores, exists)


@triton.jit
def keep_best(
    scores_ptr, listed_ptr, first, count, kept_ptr, low, high, K: tl.constexpr, BLOCK: tl.constexpr,
    IS_LISTED: tl.constexpr,
):  # fmt: skip
    """Of the BLOCK candidates from `first` on, `count` in all, list the K of the highest scores, in their own order.

    Candidates are positions: `listed_ptr` has them in ascending order, or else they are 0, 1, 2 and so on. Only ranks
    `low` to `high` (exclusive) of the list are written.
    """
    block = first + tl.arange(0, BLOCK)
    _, orders = load_candidates(scores_ptr, listed_ptr, block, block < count, IS_LISTED)
    threshold, end = cutoff(orders, block < count, K)
    # Again in parts: registers hold the order of many candidates, but no more of them than that.
    PART: tl.constexpr = BLOCK if BLOCK < 2048 else 2048
    rank = 0
    for part in range(first, tl.minimum(first + BLOCK, count), PART):
        at = part + tl.arange(0, PART)
        positions, order = load_candidates(scores_ptr, listed_ptr, at, at < count, IS_LISTED)
        kept = is_kept(order, at < count, at - first, threshold, end).to(tl.int32)
        ranks = rank + tl.cumsum(kept, 0) - 1
        tl.store(kept_ptr + ranks, positions, mask=(kept > 0) & (ranks >= low) & (ranks < high))
        rank += tl.sum(kept, 0)


@triton.jit
def rank_components(q, D: tl.constexpr, BLOCK_D: tl.constexpr):
    """Of the queries `q` [rows, BLOCK_D]: the magnitudes, and each component's rank by their sum over rows, from 0 on.

    Of equal sums the first comes first. Components are few: every one is compared with every other, without a loop.
    """
    d = tl.arange(0, BLOCK_D)
    magnitudes = tl.abs(q.to(tl.float32))
    sums = tl.where(d < D, tl.sum(magnitudes, 0), -1.0)
    is_before = (d[:, None] < d[None, :]) & (sums[:, None] == sums[None, :])
    ranks = tl.sum(((sums[:, None] > sums[None, :]) | is_before).to(tl.int32), 0)
    return magnitudes, ranks


@triton.jit
def estimate_growth(magnitudes, is_kept):
    """For each row, what estimates from the kept components are multiplied by.

    The root of the sum of its `magnitudes` over that of the kept ones; 0 if these are all 0.
    """
    part = tl.sum(tl.where(is_kept[None, :], magnitudes, 0.0), 1)
    return tl.sqrt(tl.where(part > 0, tl.sum(magnitudes, 1) / tl.where(part > 0, part, 1.0), 0.0))


@triton.jit
def first_components(ranks, D: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_R: tl.constexpr):
    """[BLOCK_R]: the components of the ranks 0, 1, 2 and so on. Within D, even if NaN were ranked."""
    is_here = ranks[None, :] == tl.arange(0, BLOCK_R)[:, None]
    return tl.minimum(tl.sum(tl.where(is_here, tl.arange(0, BLOCK_D)[None, :], 0), 1), D - 1)
