"""SparQ's operations as callers meet them: on CPU tensors, compiled, with bad input, and without Triton."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from paged_cases import PADDING_ROWS, Case, assert_near, make_batch, scattered

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.launching import operands
from abaci.backend.kernels.sparq.op import append_tokens, sparq_attention
from abaci.backend.kernels.sparq.policy import Sparq, SparqIndex, make_index
from abaci.backend.kernels.sparq.reference import sparq_attention_reference

CASE = Case(torch.float16, 4, 64, 16, [(1, 60), (1, 9)], kv_heads=2)
POLICY = Sparq(16, 12, 4, 20)


def made(case: Case = CASE) -> tuple[PagedBatch, SparqIndex]:
    batch = make_batch(case)
    index = make_index(batch.k_pages)
    index.v_sums.zero_()
    return batch, index


def new_rows(batch: PagedBatch) -> tuple[torch.Tensor, torch.Tensor]:
    k, v = torch.randn(2, batch.tokens, batch.kv_heads, batch.head_size).to(batch.q.dtype)
    return k, v


def test_cpu_tensors_are_answered_by_the_reference_with_the_usual_scale() -> None:
    batch, index = made()
    out = sparq_attention(batch, POLICY, index)
    assert out.dtype == torch.float16
    right = sparq_attention_reference(batch, POLICY, scale=1 / 8)
    assert_near(out, right)


def test_a_cache_filled_token_by_token_is_answered_like_one_filled_at_once() -> None:
    batch, index = made(Case(torch.float32, 2, 64, 16, [(1, 40)]))
    filled = replace(batch, k_pages=batch.k_pages.clone(), v_pages=batch.v_pages.clone())
    batch.k_pages.fill_(torch.nan)
    batch.v_pages.fill_(torch.nan)
    for token in range(40):
        at = batch.block_table[0, token // 16].long(), token % 16
        step = replace(batch, q=batch.q[:1], seq_lens=torch.tensor([token + 1], dtype=torch.int32))
        append_tokens(step, filled.k_pages[at][None], filled.v_pages[at][None], index)
    assert torch.equal(sparq_attention(batch, POLICY, index), sparq_attention(filled, POLICY, index))


def test_the_operation_compiles_into_one_graph() -> None:
    batch, index = made()

    def doubled(q: torch.Tensor) -> torch.Tensor:
        return sparq_attention(replace(batch, q=2 * q), POLICY, index)

    compiled = torch.compile(doubled, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(batch.q), doubled(batch.q))


def test_writing_and_attending_compile_into_one_graph() -> None:
    batch, index = made()
    k, v = new_rows(batch)

    def step(q: torch.Tensor) -> torch.Tensor:
        asked = replace(batch, q=q)
        append_tokens(asked, k, v, index)
        return sparq_attention(asked, POLICY, index)

    compiled = torch.compile(step, backend="aot_eager", fullgraph=True)
    before = sparq_attention(batch, POLICY, index)
    found = compiled(batch.q)
    assert not torch.equal(found[:2], before[:2])
    torch.testing.assert_close(found, step(batch.q))


@pytest.mark.parametrize("is_twice", [True, False])
def test_the_custom_operations_say_truly_what_they_change(is_twice: bool) -> None:
    batch, index = made()
    columns = torch.zeros_like(index.columns) if is_twice and index.columns is not None else None
    operation: Any = torch.ops.abaci
    rules = (0.125, 16, 12, 4, 20)
    out = torch.zeros_like(batch.q)
    torch.library.opcheck(operation.sparq_attention, (*operands(batch), *rules, index.v_sums, columns, out))
    clean = replace(batch, k_pages=batch.k_pages.nan_to_num(), v_pages=batch.v_pages.nan_to_num())
    torch.library.opcheck(operation.append_tokens, (*operands(clean), *new_rows(batch), index.v_sums, columns))


def test_the_callers_own_output_is_filled_whatever_its_strides() -> None:
    batch, index = made()
    out = scattered(batch).out
    assert sparq_attention(batch, POLICY, index, out=out) is out
    assert not out[:-PADDING_ROWS].isnan().any()


def test_bad_policies_are_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="components must be at least 1, not 0"):
        Sparq(0, 8)
    with pytest.raises(ValueError, match="not local 9 and keys 8"):
        Sparq(16, 8, 9)
    with pytest.raises(ValueError, match="keys <= 8192 must hold, not local 1 and keys 8193"):
        Sparq(16, 8193)
    with pytest.raises(ValueError, match="dense_tokens must be >= 0, not -1"):
        Sparq(16, 8, 1, -1)


def test_bad_arguments_are_refused_with_the_reason() -> None:
    batch, index = made()
    with pytest.raises(ValueError, match="one query a request, not max_query_len 3"):
        sparq_attention(replace(batch, max_query_len=3), POLICY, index)
    with pytest.raises(ValueError, match="65 components wanted, but heads have 64"):
        sparq_attention(batch, Sparq(65, 12), index)
    with pytest.raises(
        ValueError, match=r"v_sums must be \(\d+, 2, 64\) torch.float32 on cpu, not \(\d+, 2, 64\) .*16"
    ):
        sparq_attention(batch, POLICY, SparqIndex(index.v_sums.half()))
    with pytest.raises(
        ValueError, match=r"columns must be \(\d+, 2, 64, 16\) torch.float16 on cpu, not \(1, 2, 3, 4\)"
    ):
        sparq_attention(batch, POLICY, SparqIndex(index.v_sums, torch.empty(1, 2, 3, 4)))
    with pytest.raises(ValueError, match=r"v_sums must have 3 dimensions, not the shape \(4,\)"):
        SparqIndex(torch.empty(4))
    with pytest.raises(ValueError, match=r"out must be \(4, 8, 64\) torch.float16 on cpu, not \(3, 8, 64\)"):
        sparq_attention(batch, POLICY, index, out=torch.empty(3, 8, 64))


def test_bad_rows_are_refused_with_the_reason() -> None:
    batch, index = made()
    k, v = new_rows(batch)
    with pytest.raises(ValueError, match=r"k must be \(4, 2, 64\) torch.float16 on cpu, not \(3, 2, 64\)"):
        append_tokens(batch, k[:3], v, index)
    with pytest.raises(ValueError, match=r"v must be \(4, 2, 64\) torch.float16 on cpu, not .* torch.float32"):
        append_tokens(batch, k, v.float(), index)


def test_the_operation_is_imported_without_triton() -> None:
    program = "import sys, abaci.backend.kernels.sparq.op; assert 'triton' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
