"""Each kernel over requests of four thousand tokens: against float64, and against plain torch in the kernel's type."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from paged_cases import Case, assert_attends, poisoned, rms
from shared_prefixes import Shared, make_shared, make_sharing
from test_sink_attention import clear_gaps, rotary
from test_sparq_attention import assert_gives, cut, indexed

from abaci.backend.kernels.common.batch import Attended, PagedBatch
from abaci.backend.kernels.common.launching import Gpu, plan
from abaci.backend.kernels.common.op import launch as launch_dense
from abaci.backend.kernels.common.reference import Request, paged_attention_reference, requests, scores
from abaci.backend.kernels.relay.op import launch as launch_relay
from abaci.backend.kernels.relay.work import choose_cut
from abaci.backend.kernels.sink.op import launch as launch_sink
from abaci.backend.kernels.sink.policy import SinkWindow
from abaci.backend.kernels.sink.reference import rotate, sink_attention_reference
from abaci.backend.kernels.sparq.launching import SparqLaunch
from abaci.backend.kernels.sparq.policy import Sparq
from abaci.backend.kernels.sparq.reference import best, estimate, sparq_attention_reference

BF16, FP16, FP32 = torch.bfloat16, torch.float16, torch.float32
SCALE = 0.125
GPU = Gpu(capability=9, processors=3)
ROTARY = rotary(32)
WINDOW = SinkWindow(4, 1020, "cache", ROTARY)
SPARQ = Sparq(components=16, keys=128, local=32, dense_tokens=1000)
# The best of each chunk are narrowed down twice more before the last choice among them.
SPARQ_CUT = cut(chunk=1024, tile=64, splits=2, max_candidates=256)
KERNELS = ("dense", "sink", "relay", "sparq")


@cache
def long_batch(dtype: torch.dtype) -> PagedBatch:
    """Two requests of 4097 and 4090 tokens, the first 3840 of them shared."""
    return make_shared(Case(dtype, 4, 64, 64, [(1, 4097), (1, 4090)]), [Shared(0, [1], 60)])


@cache
def attended(kernel: str, dtype: torch.dtype) -> Attended:
    """What the kernel gives for the long batch; SparQ leaves the log-sum-exp alone."""
    batch = long_batch(dtype)
    result = poisoned(batch)
    match kernel:
        case "dense":
            launch_dense(batch, SCALE, None, result, plan(batch, GPU))
        case "sink":
            way = plan(batch, GPU, WINDOW.size + 1, kernel="turned")
            launch_sink(clear_gaps(batch, WINDOW), WINDOW, SCALE, None, result, way)
        case "relay":
            sizes = choose_cut(batch, GPU)
            launch_relay(batch, make_sharing(batch, sizes), SCALE, result, sizes)
        case "sparq":
            SparqLaunch(batch, SPARQ, indexed(batch), SCALE, SPARQ_CUT).run(result.out)
    return result


@cache
def expected(kernel: str, dtype: torch.dtype) -> Attended:
    """What it should give, in float64."""
    batch = long_batch(dtype)
    match kernel:
        case "sink":
            return sink_attention_reference(batch, WINDOW, SCALE)
        case "sparq":
            return Attended(sparq_attention_reference(batch, SPARQ, SCALE), attended(kernel, dtype).lse)
    return paged_attention_reference(batch, SCALE)


@pytest.mark.parametrize("dtype", [BF16, FP16, FP32], ids=str)
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_long_request_is_attended_over_as_precisely_as_a_short_one(kernel: str, dtype: torch.dtype) -> None:
    batch, found, right = long_batch(dtype), attended(kernel, dtype), expected(kernel, dtype)
    if kernel == "sparq":
        assert_gives(batch, found.out, right.out)
    else:
        assert_attends(found, right, batch)


def flash(logits: torch.Tensor, v: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """[t, Hq, D]: flash attention in plain torch, for `logits` [Hq, t, s]: weights are of the type of the values."""
    weights = torch.exp(logits - logits.amax(-1, keepdim=True))
    values = torch.einsum("hts,shd->thd", weights.to(dtype).float(), v)
    return values / weights.sum(-1).T[..., None]


def emulated(kernel: str, request: Request, dtype: torch.dtype) -> torch.Tensor:
    """[1, Hq, D]: what plain torch gives with queries, keys, values, weights and the result of this type."""
    logits = scores(request.q, request.k, SCALE)
    if kernel == "sparq":
        estimates = estimate(request.q[0], request.k[:, 0], SPARQ.components, SCALE)
        ranked = estimates.sum(0)
        ranked[-SPARQ.local :] = torch.inf
        at = best(ranked, SPARQ.keys)
        share = torch.softmax(estimates, 1)[:, at].sum(1)[:, None]
        return (share * flash(logits[..., at], request.v[at], dtype) + (1 - share) * request.v.mean(0)).to(dtype)
    if kernel == "sink":
        distances = request.q_positions - request.k_positions
        is_sink = request.k_positions < WINDOW.n_sinks
        turned = rotate(request.q, WINDOW.size - 1 - request.q_positions, ROTARY).to(dtype).float()
        logits = torch.where(is_sink, scores(turned, request.k, SCALE), logits)
        logits = logits.masked_fill(~(is_sink | (distances < WINDOW.window)), -torch.inf)
    return flash(logits, request.v, dtype).to(dtype)


@pytest.mark.parametrize("dtype", [BF16, FP16], ids=str)
@pytest.mark.parametrize("kernel", KERNELS)
def test_errors_are_at_most_twice_those_of_plain_torch_in_the_same_type(kernel: str, dtype: torch.dtype) -> None:
    found, right = attended(kernel, dtype).out[:2], expected(kernel, dtype).out[:2]
    plain = torch.cat([emulated(kernel, request, dtype) for request in requests(long_batch(dtype), torch.float32)])
    ours, theirs = found.double() - right, plain.double() - right
    assert rms(ours) <= 2 * rms(theirs)
    assert ours.abs().max() <= 2 * theirs.abs().max()
