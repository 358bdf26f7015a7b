"""The operations as callers meet them: on CPU tensors, compiled, with bad input, and without Triton or a GPU."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from paged_cases import PADDING_ROWS, Case, assert_near, make_batch, scattered

from abaci.backend.kernels.common.batch import Attended, PagedBatch
from abaci.backend.kernels.common.launching import operands
from abaci.backend.kernels.common.op import paged_attention
from abaci.backend.kernels.common.reference import paged_attention_reference
from abaci.backend.kernels.sink.op import sink_attention
from abaci.backend.kernels.sink.policy import Rotary, SinkWindow
from abaci.backend.kernels.sink.reference import sink_attention_reference

INV_FREQ = 10000.0 ** (-torch.arange(32) / 32)
POLICY = SinkWindow(4, 8, "cache", Rotary(INV_FREQ))
CASE = Case(torch.float16, 4, 64, 16, [(1, 30), (3, 9)], kv_heads=2)


def dense(batch: PagedBatch) -> Attended:
    return paged_attention(batch)


def sinks(batch: PagedBatch) -> Attended:
    return sink_attention(batch, POLICY)


def expected(operation: Callable[[PagedBatch], Attended], batch: PagedBatch) -> Attended:
    if operation is dense:
        return paged_attention_reference(batch, scale=1 / 8)
    return sink_attention_reference(batch, POLICY, scale=1 / 8)


@pytest.mark.parametrize("operation", [dense, sinks])
def test_cpu_tensors_are_answered_by_the_reference_with_the_usual_scale(
    operation: Callable[[PagedBatch], Attended],
) -> None:
    batch = make_batch(CASE)
    result, right = operation(batch), expected(operation, batch)
    assert (result.out.dtype, result.lse.dtype) == (torch.float16, torch.float32)
    assert_near(result.out, right.out)
    torch.testing.assert_close(result.lse.double(), right.lse, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_learned_logits_may_have_another_type_than_the_queries(dtype: torch.dtype) -> None:
    batch, logits = make_batch(CASE), torch.linspace(-2, 3, 8).to(dtype)
    result = sink_attention(batch, POLICY, sink_logits=logits)
    right = sink_attention_reference(batch, POLICY, scale=1 / 8, sink_logits=logits)
    assert_near(result.out, right.out)
    torch.testing.assert_close(result.lse.double(), right.lse, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("operation", [dense, sinks])
def test_operations_compile_into_one_graph(operation: Callable[[PagedBatch], Attended]) -> None:
    batch = make_batch(CASE)

    def doubled(q: torch.Tensor) -> torch.Tensor:
        return operation(replace(batch, q=2 * q)).out

    compiled = torch.compile(doubled, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(batch.q), doubled(batch.q))


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("paged_attention", (None,)),
        ("sink_attention", (4, 8, INV_FREQ, True, None)),
        ("sink_attention", (4, 8, None, True, torch.ones(8, dtype=torch.bfloat16))),
    ],
)
def test_the_custom_operations_say_truly_what_they_change(name: str, rules: tuple[object, ...]) -> None:
    batch = make_batch(CASE)
    out, lse = torch.zeros_like(batch.q), torch.zeros(batch.q.shape[:2])
    torch.library.opcheck(getattr(torch.ops.abaci, name), (*operands(batch), 0.125, *rules, out, lse))


def test_the_callers_own_output_is_filled_whatever_its_strides() -> None:
    batch = make_batch(CASE)
    out = scattered(batch).out
    assert paged_attention(batch, out=out).out is out
    assert sink_attention(batch, POLICY, out=out).out is out
    assert not out[:-PADDING_ROWS].isnan().any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"q": torch.empty(4, 64)}, r"q must have 3 dimensions, not the shape \(4, 64\)"),
        ({"q": torch.empty(4, 7, 64, dtype=torch.float16)}, "7 query heads are no positive multiple of 2"),
        ({"q": torch.empty(4, 8, 32, dtype=torch.float16)}, r"head size must agree .* q \(4, 8, 32\)"),
        ({"q": torch.empty(4, 8, 64)}, "must share one of bfloat16, float16, float32, not torch.float32"),
        ({"v_pages": torch.empty(2, 16, 2, 64, dtype=torch.float16)}, r"v_pages \(2, 16, 2, 64\) differ in shape"),
        ({"block_table": torch.zeros(2, 3)}, r"block_table must be \[B, M\] int32, not \(2, 3\) torch.float32"),
        ({"seq_lens": torch.zeros(3, dtype=torch.int32)}, r"seq_lens must be \[2\] torch.int32.* not \(3,\)"),
        ({"query_starts": torch.zeros(6, dtype=torch.int32)[::2]}, r"contiguous, not .* with stride 2"),
        ({"max_query_len": 0}, "max_query_len must be at least 1, not 0"),
        ({"k_pages": torch.empty(9, 16, 2, 64, dtype=torch.float16, device="meta")}, "differ in shape|several devices"),
    ],
)
def test_bad_batches_are_refused_with_the_reason(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(make_batch(CASE), **changes)


def test_heads_too_large_are_refused() -> None:
    with pytest.raises(ValueError, match=r"lie in 1..256: q \(3, 1, 257\)"):
        make_batch(Case(torch.float32, 1, 257, 16, [(1, 5)]))


def test_bad_arguments_are_refused_with_the_reason() -> None:
    batch = make_batch(CASE)
    with pytest.raises(ValueError, match=r"kv_starts must be \[2\] torch.int32"):
        paged_attention(batch, kv_starts=torch.zeros(2))
    with pytest.raises(ValueError, match=r"out must be \(6, 8, 64\) torch.float16 on cpu, not \(5, 8, 64\)"):
        paged_attention(batch, out=torch.empty(5, 8, 64))
    with pytest.raises(ValueError, match=r"sink_logits must be \[8\] torch.float32"):
        sink_attention(batch, POLICY, sink_logits=torch.zeros(4))
    with pytest.raises(ValueError, match=r"sink_logits must be \[8\] torch.bfloat16 on cpu.* not \(4,\)"):
        sink_attention(batch, POLICY, sink_logits=torch.zeros(4, dtype=torch.bfloat16))
    with pytest.raises(ValueError, match=r"of bfloat16, float16 or float32, not torch\.float64"):
        sink_attention(batch, POLICY, sink_logits=torch.zeros(8, dtype=torch.float64))
    with pytest.raises(ValueError, match="rotates 66 elements, but heads have 64"):
        sink_attention(batch, replace(POLICY, rotary=Rotary(torch.ones(33))))


def test_bad_policies_are_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="window >= 1, not 4 and 0"):
        SinkWindow(4, 0)
    with pytest.raises(ValueError, match=r"n_sinks must be >= 0 .* not -1"):
        SinkWindow(-1, 4)
    with pytest.raises(ValueError, match="needs the rotary embedding"):
        SinkWindow(4, 8, "cache")
    with pytest.raises(ValueError, match="not 'Cache'"):
        SinkWindow(4, 8, "Cache")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"below 2\*\*31, not 2147483651"):
        SinkWindow(4, 2**31 - 1)
    with pytest.raises(ValueError, match=r"inv_freq must be \[R\] float32, not \(0,\)"):
        Rotary(torch.ones(0))


def test_operations_are_imported_without_triton_and_the_package_without_torch() -> None:
    program = (
        "import sys, abaci.backend.kernels; assert 'torch' not in sys.modules\n"
        "import abaci.backend.kernels.common.op, abaci.backend.kernels.sink.op; assert 'triton' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
