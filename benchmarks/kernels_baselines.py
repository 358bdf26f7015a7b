"""What the kernels are measured against: torch, FlashAttention, FlashInfer and vLLM's Triton, where they are installed.

Each baseline makes a call over a case's batch that gives [T, Hq, D] or [B, T/B, Hq, D], or None where it is not
installed or does not do this case. What a server would do once a step for all layers is done beforehand: plans, page
lists, and for torch, which knows no pages, a contiguous copy of the keys and values that are seen.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import torch
from kernels_dense import HEAD_SIZE, Case
from kernels_relay import SAMPLES, SharedCase
from kernels_sparq import SparqCase

from abaci.backend.kernels.common.batch import PagedBatch

AnyCase = Case | SharedCase | SparqCase
Call = Callable[[], torch.Tensor]
Make = Callable[[AnyCase, PagedBatch], Call | None]
SCALE = HEAD_SIZE**-0.5
WORKSPACE_BYTES = 128 << 20
"""As FlashInfer asks for."""
SEGMENTS, MIN_GRID = 16, 128
"""Into how many pieces vLLM's Triton kernel divides keys, and below how many programs it does."""


@cache
def installed(module: str) -> Any | None:
    """The module, or None if it cannot be imported here."""
    try:
        return import_module(module)
    except ImportError:
        return None


def gathered(batch: PagedBatch, tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    """[B, S, Hk, D]: the requests' keys and values side by side."""
    table = batch.block_table.long()
    keys, values = (pages[table].flatten(1, 2)[:, :tokens] for pages in (batch.k_pages, batch.v_pages))
    return keys, values


def by_request(batch: PagedBatch) -> torch.Tensor:
    """[B, Hq, T/B, D]: the queries as torch takes them, each request having as many."""
    return batch.q.view(batch.requests, -1, batch.q_heads, batch.head_size).transpose(1, 2)


def is_visible(case: Case, queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """Whether a request's query of this index sees the key at this position: causal, over sinks and window if any."""
    distances = case.tokens - case.queries + queries - keys
    if case.policy is None:
        return distances >= 0
    return (distances >= 0) & ((keys < case.policy.n_sinks) | (distances < case.policy.window))


def torch_sdpa(case: AnyCase, batch: PagedBatch) -> Call | None:
    """torch's attention: in a decode step over what is seen, nothing else copied; in a prefill with a mask."""
    if isinstance(case, Case) and case.queries > 1:
        return sdpa_prefill(case, batch)
    keys, values = gathered(batch, case.tokens)
    if case.policy is not None:
        at = torch.arange(case.tokens, device=keys.device)
        kept = (at < case.policy.n_sinks) | (at >= case.tokens - case.policy.window)
        keys, values = keys[:, kept], values[:, kept]
    keys, values = (tensor.transpose(1, 2).contiguous() for tensor in (keys, values))
    q = batch.q[:, :, None]
    attend = torch.nn.functional.scaled_dot_product_attention
    return lambda: attend(q, keys, values, enable_gqa=True).transpose(1, 2)


def sdpa_prefill(case: Case, batch: PagedBatch) -> Call:
    """With torch's own causal mask, by which it skips; a mask of numbers where there are sinks and a window."""
    from torch.nn.attention.bias import causal_lower_right

    q, attend = by_request(batch), torch.nn.functional.scaled_dot_product_attention
    keys, values = (tensor.transpose(1, 2).contiguous() for tensor in gathered(batch, case.tokens))
    if case.policy is None and case.queries == case.tokens:
        return lambda: attend(q, keys, values, is_causal=True, enable_gqa=True).transpose(1, 2)
    # The kernels that take other masks know no groups.
    keys, values = (tensor.repeat_interleave(case.group, 1) for tensor in (keys, values))
    if case.policy is None:
        mask: Any = causal_lower_right(case.queries, case.tokens)
    else:
        at = torch.arange(case.tokens, device=q.device)
        seen = is_visible(case, at[: case.queries, None], at)
        mask = torch.zeros(seen.shape, dtype=q.dtype, device=q.device).masked_fill_(~seen, -torch.inf)
    return lambda: attend(q, keys, values, attn_mask=mask).transpose(1, 2)


@cache
def compiled_flex() -> Any:
    """FlexAttention as it is meant to be used; one compilation a shape."""
    from torch.nn.attention.flex_attention import flex_attention

    # Past its limit, of 8, it would silently run what was not compiled.
    torch._dynamo.config.recompile_limit = 64
    return torch.compile(flex_attention, dynamic=False, fullgraph=True)


def torch_flex(case: AnyCase, batch: PagedBatch) -> Call | None:
    """FlexAttention, a mask of blocks where not all is seen; Llama's dense and sink cases only, as it compiles long."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    if not isinstance(case, Case) or case.q_heads != 32 or case.requests not in (1, 64):
        return None
    keys, values = (tensor.transpose(1, 2).contiguous() for tensor in gathered(batch, case.tokens))
    mask = None
    if case.policy is not None or case.queries > 1:

        def visible(_b: torch.Tensor, _h: torch.Tensor, q: torch.Tensor, kv: torch.Tensor) -> torch.Tensor:
            return is_visible(case, q, kv)

        mask = create_block_mask(visible, None, None, case.queries, case.tokens, device=batch.q.device)
    q = by_request(batch)
    attend = compiled_flex() if batch.q.is_cuda else flex_attention
    return lambda: attend(q, keys, values, block_mask=mask, enable_gqa=True).transpose(1, 2)


def flash_varlen(q: torch.Tensor, batch: PagedBatch, **lens: Any) -> Any:
    """vLLM's FlashAttention: version 3 where the card can, else 2."""
    module = installed("vllm.vllm_flash_attn")
    assert module is not None
    lens["fa_version"] = 3 if module.is_fa_version_supported(3) else 2
    return module.flash_attn_varlen_func(q, batch.k_pages, batch.v_pages, softmax_scale=SCALE, **lens)


def flash_attention(case: AnyCase, batch: PagedBatch) -> Call | None:
    """vLLM's FlashAttention over the same pages; it has no sinks."""
    if case.policy is not None or not batch.q.is_cuda or installed("vllm.vllm_flash_attn") is None:
        return None
    return lambda: flash_varlen(
        batch.q,
        batch,
        max_seqlen_q=batch.max_query_len,
        cu_seqlens_q=batch.query_starts,
        max_seqlen_k=case.tokens,
        seqused_k=batch.seq_lens,
        block_table=batch.block_table,
        causal=True,
    )


def flash_attention_3(case: AnyCase, batch: PagedBatch) -> Call | None:
    """Its authors' own package for Hopper, `flash_attn_interface`."""
    module = installed("flash_attn_interface")
    if case.policy is not None or not batch.q.is_cuda or module is None:
        return None
    q = by_request(batch).transpose(1, 2)
    return lambda: module.flash_attn_with_kvcache(
        q,
        batch.k_pages,
        batch.v_pages,
        cache_seqlens=batch.seq_lens,
        page_table=batch.block_table,
        softmax_scale=SCALE,
        causal=True,
    )


def flash_cascade(case: AnyCase, batch: PagedBatch) -> Call | None:
    """Shared prefixes with FlashAttention: once for all over the prompt, once for each over its own, and a merge."""
    merging = installed("vllm.v1.attention.ops.merge_attn_states")
    if not isinstance(case, SharedCase) or case.problem or not batch.q.is_cuda or merging is None:
        return None
    if installed("vllm.vllm_flash_attn") is None:
        return None
    device, pages = batch.q.device, case.prompt // batch.page_size
    everyone = torch.tensor([0, case.requests], dtype=torch.int32, device=device)
    prompt = torch.tensor([case.prompt], dtype=torch.int32, device=device)
    own_lens, own_table = batch.seq_lens - case.prompt, batch.block_table[:, pages:].contiguous()
    prompt_table, out = batch.block_table[:1, :pages].contiguous(), torch.empty_like(batch.q)

    def call() -> torch.Tensor:
        shared = {"max_seqlen_q": case.requests, "cu_seqlens_q": everyone, "max_seqlen_k": case.prompt}
        shared |= {"seqused_k": prompt, "block_table": prompt_table, "causal": False}
        own = {"max_seqlen_q": 1, "cu_seqlens_q": batch.query_starts, "max_seqlen_k": case.tokens - case.prompt}
        own |= {"seqused_k": own_lens, "block_table": own_table, "causal": True}
        first, first_lse = flash_varlen(batch.q, batch, return_softmax_lse=True, **shared)
        second, second_lse = flash_varlen(batch.q, batch, return_softmax_lse=True, **own)
        merging.merge_attn_states(out, first, first_lse, second, second_lse)
        return out

    return call


@cache
def workspace(device: torch.device) -> torch.Tensor:
    """For all of FlashInfer's calls, which run one after another."""
    return torch.empty(WORKSPACE_BYTES, dtype=torch.uint8, device=device)


def page_lists(batch: PagedBatch, table: torch.Tensor, tokens: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """FlashInfer's form of a block table whose rows have `tokens` tokens: starts, pages, tokens of the last page."""
    rows, columns = table.shape
    starts = torch.arange(rows + 1, dtype=torch.int32, device=table.device) * columns
    last = torch.full((rows,), tokens - (columns - 1) * batch.page_size, dtype=torch.int32, device=table.device)
    return starts, table.flatten(), last


def head_sizes(batch: PagedBatch) -> tuple[int, int, int, int]:
    """As FlashInfer's plans take them."""
    return batch.q_heads, batch.kv_heads, batch.head_size, batch.page_size


def flashinfer_decode(case: AnyCase, batch: PagedBatch) -> Call | None:
    """FlashInfer's decode over pages, on tensor cores as it advises for groups."""
    module = installed("flashinfer")
    if case.policy is not None or batch.max_query_len > 1 or not batch.q.is_cuda or module is None:
        return None
    wrapper = module.BatchDecodeWithPagedKVCacheWrapper(workspace(batch.q.device), "NHD", use_tensor_cores=True)
    lists = page_lists(batch, batch.block_table, case.tokens)
    wrapper.plan(*lists, *head_sizes(batch), q_data_type=batch.q.dtype, kv_data_type=batch.q.dtype)
    return lambda: wrapper.run(batch.q, (batch.k_pages, batch.v_pages))


def cascade_levels(case: SharedCase, batch: PagedBatch) -> list[tuple[torch.Tensor, ...]]:
    """For each level which queries share, and their pages: the prompt, the problems if there are any, the rest."""
    size, device = batch.page_size, batch.q.device
    ends = [case.prompt // size, (case.prompt + case.problem) // size, batch.block_table.shape[1]]
    sharers, lens = [case.requests, SAMPLES, 1], [case.prompt, case.problem, case.own]
    levels: list[tuple[torch.Tensor, ...]] = []
    begin = 0
    for end, together, tokens in zip(ends, sharers, lens, strict=True):
        if tokens:
            starts = torch.tensor([*range(0, case.requests, together), case.requests], dtype=torch.int32, device=device)
            levels.append((starts, *page_lists(batch, batch.block_table[::together, begin:end], tokens)))
        begin = end
    return levels


def flashinfer_cascade(case: AnyCase, batch: PagedBatch) -> Call | None:
    """FlashInfer's shared prefixes, one level for each kind of sharing."""
    module = installed("flashinfer")
    if not isinstance(case, SharedCase) or not batch.q.is_cuda or module is None:
        return None
    levels = cascade_levels(case, batch)
    wrapper = module.MultiLevelCascadeAttentionWrapper(len(levels), workspace(batch.q.device), "NHD")
    lists = [list(each) for each in zip(*levels, strict=True)]
    wrapper.plan(*lists, *head_sizes(batch), q_data_type=batch.q.dtype)
    return lambda: wrapper.run(batch.q, (batch.k_pages, batch.v_pages))


def vllm_triton(case: AnyCase, batch: PagedBatch) -> Call | None:
    """vLLM's Triton kernel, its keys divided as its backend does; sinks and window by its mask for prompts."""
    module = installed("vllm.v1.attention.ops.triton_unified_attention") if batch.q.is_cuda else None
    if module is None:
        return None
    device, out, few = batch.q.device, torch.empty_like(batch.q), MIN_GRID // batch.kv_heads
    parts = torch.empty(few, batch.q_heads, SEGMENTS, batch.head_size, device=device)
    options: dict[str, Any] = {
        "seq_threshold_3D": few,
        "num_par_softmax_segments": SEGMENTS,
        "softmax_segm_output": parts,
        "softmax_segm_max": torch.empty(parts.shape[:3], device=device),
        "softmax_segm_expsum": torch.empty(parts.shape[:3], device=device),
    }
    if case.policy is not None:
        prompts = torch.full((case.requests,), case.policy.n_sinks, dtype=torch.int32, device=device)
        options |= {"rswa_prefix_lens": prompts, "rswa_window": case.policy.window}

    def call() -> torch.Tensor:
        module.unified_attention(
            q=batch.q,
            k=batch.k_pages,
            v=batch.v_pages,
            out=out,
            cu_seqlens_q=batch.query_starts,
            max_seqlen_q=batch.max_query_len,
            seqused_k=batch.seq_lens,
            max_seqlen_k=case.tokens,
            softmax_scale=SCALE,
            causal=True,
            window_size=(-1, -1),
            block_table=batch.block_table,
            softcap=0,
            q_descale=None,
            k_descale=None,
            v_descale=None,
            **options,
        )
        return out

    return call


BASELINES: dict[str, Make] = {
    "torch SDPA": torch_sdpa,
    "torch FlexAttention": torch_flex,
    "vLLM FlashAttention": flash_attention,
    "FlashAttention-3": flash_attention_3,
    "FlashAttention cascade": flash_cascade,
    "FlashInfer decode": flashinfer_decode,
    "FlashInfer cascade": flashinfer_cascade,
    "vLLM Triton": vllm_triton,
}
