"""Relay attention as callers meet it: on CPU tensors, compiled, with bad input, and where it does not pay."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from paged_cases import PADDING_ROWS, Case, assert_near, make_batch, scattered
from shared_prefixes import EAGER, Shared, make_shared

from abaci.backend.kernels.common.batch import PagedBatch
from abaci.backend.kernels.common.launching import operands
from abaci.backend.kernels.common.op import paged_attention
from abaci.backend.kernels.common.reference import paged_attention_reference
from abaci.backend.kernels.relay.op import Sharing, find_sharing, relay_attention
from abaci.backend.kernels.relay.policy import RelayPolicy

CASE = Case(torch.float16, 4, 64, 16, [(1, 60), (3, 50), (1, 70)], kv_heads=2)
SHARED = [Shared(0, [1, 2], 2), Shared(0, [2], 3)]


def share(batch: PagedBatch) -> Sharing:
    sharing = find_sharing(batch, EAGER)
    assert sharing is not None
    return sharing


def test_cpu_tensors_are_answered_by_the_reference_with_the_usual_scale() -> None:
    batch = make_shared(CASE, SHARED)
    sharing = share(batch)
    assert sharing.groups.ends.tolist() == [[32, 32, 32], [48, 32, 48]]
    result, right = relay_attention(batch, sharing), paged_attention_reference(batch, scale=1 / 8)
    assert (result.out.dtype, result.lse.dtype) == (torch.float16, torch.float32)
    assert_near(result.out, right.out)
    torch.testing.assert_close(result.lse.double(), right.lse, atol=1e-5, rtol=1e-5)


def test_the_search_and_the_attention_compile_into_one_graph() -> None:
    batch = make_shared(CASE, SHARED)

    def doubled(q: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        changed = replace(batch, q=2 * q, block_table=table)
        return relay_attention(changed, find_sharing(changed, EAGER)).out

    compiled = torch.compile(doubled, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(batch.q, batch.block_table), doubled(batch.q, batch.block_table))


def test_the_custom_operations_say_truly_what_they_change() -> None:
    batch = make_shared(CASE, SHARED)
    out, lse = torch.zeros_like(batch.q), torch.zeros(batch.q.shape[:2])
    arguments = (*operands(batch), 0.125, *share(batch).tensors(), out, lse)
    torch.library.opcheck(torch.ops.abaci.relay_attention, arguments)
    torch.library.opcheck(torch.ops.abaci.find_sharing, (*operands(batch), 2, 2, 1, 0))


def test_the_callers_own_output_is_filled_whatever_its_strides() -> None:
    batch = make_shared(CASE, SHARED)
    out = scattered(batch).out
    assert relay_attention(batch, share(batch), out=out).out is out
    assert not out[:-PADDING_ROWS].isnan().any()


def test_where_it_cannot_pay_there_is_no_search_and_attention_is_plain() -> None:
    batch = make_shared(CASE, SHARED)
    assert find_sharing(batch) is None
    assert find_sharing(batch, replace(EAGER, min_requests=4)) is None
    relayed, plain = relay_attention(batch, None, scale=0.3), paged_attention(batch, scale=0.3)
    assert torch.equal(relayed.out, plain.out)
    assert torch.equal(relayed.lse, plain.lse)


def test_heads_that_no_block_holds_are_left_to_plain_attention() -> None:
    assert find_sharing(make_batch(Case(torch.float32, 17, 64, 16, [(1, 40)] * 4)), EAGER) is None


def test_a_server_sized_batch_is_searched_by_default() -> None:
    """Sixty-four requests of Llama 3 8B: what is shared counts, not that each could have shared."""
    with torch.device("meta"):
        pages = torch.empty(512, 16, 8, 128, dtype=torch.bfloat16)
        q, table = torch.empty(64, 32, 128, dtype=torch.bfloat16), torch.empty(64, 144, dtype=torch.int32)
        lens, starts = torch.empty(64, dtype=torch.int32), torch.empty(65, dtype=torch.int32)
    batch = PagedBatch(q, pages, pages, table, lens, starts, max_query_len=1)
    assert RelayPolicy().can_pay(batch)
    assert find_sharing(batch) is not None


def test_a_sharing_of_another_batch_is_refused_with_the_reason() -> None:
    batch = make_shared(CASE, SHARED)
    other = make_batch(replace(CASE, requests=[(1, 60), (2, 50)]))
    with pytest.raises(ValueError, match=r"is of 3 requests and \(7, 8\) .* the batch of 2 and \(5, 8\) on cpu"):
        relay_attention(other, share(batch))
    with pytest.raises(ValueError, match=r"out must be \(7, 8, 64\) torch.float16 on cpu, not \(6, 8, 64\)"):
        relay_attention(batch, share(batch), out=torch.empty(6, 8, 64))


def test_a_sharing_that_was_cut_for_other_heads_is_refused() -> None:
    batch = make_shared(CASE, SHARED)
    one_head = replace(batch, k_pages=batch.k_pages[:, :, :1], v_pages=batch.v_pages[:, :, :1])
    with pytest.raises(ValueError, match=r"sharing is of \(2, 64, 16, .* the batch of \(1, 64, 16, torch.float16\)"):
        relay_attention(one_head, share(batch))


def test_the_operation_is_imported_without_triton() -> None:
    program = "import sys, abaci.backend.kernels.relay.op; assert 'triton' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
