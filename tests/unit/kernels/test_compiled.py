"""The operations in a graph of torch.compile with its own compiler, as a server would have them."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch._dynamo
import torch._inductor.config
from paged_cases import Case
from shared_prefixes import EAGER, Shared, make_shared
from torch._dynamo.testing import CompileCounterWithBackend

from abaci.backend.kernels.common.op import paged_attention
from abaci.backend.kernels.relay.op import find_sharing, relay_attention
from abaci.backend.kernels.sink.op import sink_attention
from abaci.backend.kernels.sink.policy import Rotary, SinkWindow
from abaci.backend.kernels.sparq.op import append_tokens, sparq_attention
from abaci.backend.kernels.sparq.policy import Sparq, SparqIndex, make_index

# The first request's new token fills a page; two pages are everybody's, one more that of two.
CASE = Case(torch.float32, 4, 64, 16, [(1, 64), (1, 50), (1, 70)], kv_heads=2)
BATCH = make_shared(CASE, [Shared(0, [1, 2], 2), Shared(0, [2], 3)])
LOGITS = torch.linspace(-2, 3, BATCH.q_heads).bfloat16()
WINDOW = SinkWindow(4, 8, "cache", Rotary(10000.0 ** (-torch.arange(32) / 32)))
SPARQ = Sparq(16, 12, 4, 20)
# Without a C++ compiler there is still the graph, whose operations run one by one.
BACKEND = "inductor" if shutil.which(os.environ.get("CXX", "g++")) else "aot_eager"


def layers(x: torch.Tensor, cache: torch.Tensor, v_sums: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """[4, T, Hq, D]: every operation over the same cache [2, N, P, Hk, D], whose last tokens it writes."""
    batch = replace(BATCH, q=2 * x, k_pages=cache[0], v_pages=cache[1])
    index, new = SparqIndex(v_sums, columns), x[:, : batch.kv_heads]
    append_tokens(batch, new + 1, new - 1, index)
    found = (
        paged_attention(batch).out,
        sink_attention(batch, WINDOW, sink_logits=LOGITS).out,
        relay_attention(batch, find_sharing(batch, EAGER)).out,
        sparq_attention(batch, SPARQ, index),
    )
    return torch.stack(found) + 1


# A C++ compiler runs, some ten seconds of a processor.
@pytest.mark.timeout(300)
def test_all_operations_are_one_graph_that_gives_and_writes_what_they_do_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing that an earlier run compiled.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    counter, index = CompileCounterWithBackend(BACKEND), make_index(BATCH.k_pages)
    assert index.columns is not None
    cache = torch.stack((BATCH.k_pages, BATCH.v_pages)).nan_to_num()
    given = (cache, index.v_sums.zero_(), index.columns.zero_())
    alone, compiled = ([tensor.clone() for tensor in given] for _ in range(2))
    # No processes that outlive the test; and compile, though an engine that other tests ran may have forbidden it.
    with torch._inductor.config.patch(compile_threads=1), torch._dynamo.config.patch(disable=False):
        found = torch.compile(layers, backend=counter, fullgraph=True)(BATCH.q.nan_to_num(), *compiled)
    assert counter.frame_count == 1
    torch.testing.assert_close(found, layers(BATCH.q.nan_to_num(), *alone))
    torch.testing.assert_close(compiled, alone)
    assert not any(torch.equal(written, before) for written, before in zip(compiled, given, strict=True))
