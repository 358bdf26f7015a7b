"""The operations `find_sharing` and `relay_attention`: dense causal attention that reads shared pages once for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from abaci.backend.kernels.common.batch import Attended, PagedBatch, allocate, shape
from abaci.backend.kernels.common.launching import LOG2_E, Gpu, compiler_options, gpu_of, operands, strides, tensors
from abaci.backend.kernels.common.op import paged_attention
from abaci.backend.kernels.common.tiling import MIN_ROWS, block_size
from abaci.backend.kernels.relay.groups import Groups, find_groups
from abaci.backend.kernels.relay.policy import RelayPolicy
from abaci.backend.kernels.relay.reference import relay_attention_reference
from abaci.backend.kernels.relay.search.launching import allocate as allocate_sharing
from abaci.backend.kernels.relay.search.launching import search
from abaci.backend.kernels.relay.work import Cut, Work, choose_cut, count_partials, cut_work

REFERENCE_GPU = Gpu(capability=8, processors=1)
"""For CPU tensors: the reference reads no list of work, and the shortest will do."""


@dataclass(frozen=True)
class Sharing:
    """What the requests of one step share, for all layers whose batches have the same shapes, lengths and pages.

    Layers run one after another: they count in the same memory, each leaving it as it was.
    """

    groups: Groups
    work: Work
    arrivals: torch.Tensor
    """[T, Hq], int32: 0 between two calls"""
    numbers: tuple[int, int, int, torch.dtype]
    """Key-value heads, head size, page size and type of the batch: what its list of work was cut for"""

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """As the custom operation takes them."""
        return (*listed(self.groups, self.work), self.arrivals)


def find_sharing(batch: PagedBatch, policy: RelayPolicy | None = None) -> Sharing | None:
    """What the requests share, or None if batches of these shapes are not worth the search.

    Everything is computed on the batch's device. Contents that would not pay give a sharing without groups: with it
    `relay_attention` divides each request's own keys and is plain attention.
    """
    policy = policy or RelayPolicy()
    if not policy.can_pay(batch) or cut_of(batch).wide_queries(batch.group) == 0:
        return None
    rules = (policy.levels, policy.min_requests, policy.min_tokens, policy.min_saved_bytes)
    leaders, ends, tokens, positions, items, parts = _find_sharing(*operands(batch), *rules)
    return start_sharing(batch, Groups(leaders, ends), Work(tokens, positions, items, parts))


def start_sharing(batch: PagedBatch, groups: Groups, work: Work) -> Sharing:
    """The sharing of this batch, of which nothing has arrived yet."""
    arrivals = torch.zeros(batch.tokens, batch.q_heads, dtype=torch.int32, device=batch.q.device)
    return Sharing(groups, work, arrivals, numbers_of(batch))


def numbers_of(batch: PagedBatch) -> tuple[int, int, int, torch.dtype]:
    """What a `Sharing` remembers of its batch."""
    return batch.kv_heads, batch.head_size, batch.page_size, batch.q.dtype


def cut_of(batch: PagedBatch) -> Cut:
    """The cut on the batch's device."""
    return choose_cut(batch, gpu_of(batch) if batch.q.is_cuda else REFERENCE_GPU)


def listed(groups: Groups, work: Work) -> list[torch.Tensor]:
    """The tensors in the order in which the custom operations give and take them."""
    return [groups.leaders, groups.ends, work.tokens, work.positions, work.items, work.parts]


@torch.library.custom_op("abaci::find_sharing", mutates_args=())
def _find_sharing(
    q: torch.Tensor,
    k_pages: torch.Tensor,
    v_pages: torch.Tensor,
    block_table: torch.Tensor,
    seq_lens: torch.Tensor,
    query_starts: torch.Tensor,
    max_query_len: int,
    levels: int,
    min_requests: int,
    min_tokens: int,
    min_saved_bytes: int,
) -> list[torch.Tensor]:
    batch = PagedBatch(q, k_pages, v_pages, block_table, seq_lens, query_starts, max_query_len)
    policy = RelayPolicy(levels, min_requests, min_tokens, min_saved_bytes)
    if q.is_cuda:
        with torch.cuda.device_of(q):
            return listed(*search(batch, policy, cut_of(batch)))
    groups = find_groups(batch, policy)
    return listed(groups, cut_work(batch, policy, groups, cut_of(batch)))


@_find_sharing.register_fake
def _(*given: Any) -> list[torch.Tensor]:
    batch, policy = PagedBatch(*given[:7]), RelayPolicy(*given[7:])
    return listed(*allocate_sharing(batch, policy, cut_of(batch)))


def relay_attention(
    batch: PagedBatch, sharing: Sharing | None, scale: float | None = None, out: torch.Tensor | None = None
) -> Attended:
    """Each query attends over the tokens up to its own, as in `paged_attention`, whatever is shared.

    `sharing` is `find_sharing` of this step; without it the operation is `paged_attention`. `scale` multiplies the
    products of queries and keys; by default 1 / sqrt(D). `out` receives the result if given.

    Raises:
        ValueError: `sharing` is that of a batch of another shape, or `out` does not fit.
    """
    if sharing is None:
        return paged_attention(batch, scale, out=out)
    check_sharing(batch, sharing)
    result = allocate(batch, out)
    scale = batch.head_size**-0.5 if scale is None else scale
    _relay_attention(*operands(batch), scale, *sharing.tensors(), result.out, result.lse)
    return result


def check_sharing(batch: PagedBatch, sharing: Sharing) -> None:
    """Nothing, if the sharing is that of a batch of this shape on its device.

    Raises:
        ValueError: it is not.
    """
    sizes = (shape(sharing.groups.ends)[1:], shape(sharing.arrivals), sharing.arrivals.device)
    if sizes != ((batch.requests,), (batch.tokens, batch.q_heads), batch.q.device):
        raise ValueError(
            f"the sharing is of {sizes[0][0]} requests and {sizes[1]} (tokens, query heads) on {sizes[2]}, "
            f"the batch of {batch.requests} and {(batch.tokens, batch.q_heads)} on {batch.q.device}"
        )
    if sharing.numbers != numbers_of(batch):
        raise ValueError(
            f"the sharing is of {sharing.numbers} (key-value heads, head size, page size, type), "
            f"the batch of {numbers_of(batch)}"
        )


@torch.library.custom_op("abaci::relay_attention", mutates_args=("arrivals", "out", "lse"))
def _relay_attention(
    q: torch.Tensor,
    k_pages: torch.Tensor,
    v_pages: torch.Tensor,
    block_table: torch.Tensor,
    seq_lens: torch.Tensor,
    query_starts: torch.Tensor,
    max_query_len: int,
    scale: float,
    leaders: torch.Tensor,
    ends: torch.Tensor,
    tokens: torch.Tensor,
    positions: torch.Tensor,
    items: torch.Tensor,
    parts: torch.Tensor,
    arrivals: torch.Tensor,
    out: torch.Tensor,
    lse: torch.Tensor,
) -> None:
    batch = PagedBatch(q, k_pages, v_pages, block_table, seq_lens, query_starts, max_query_len)
    sharing = Sharing(Groups(leaders, ends), Work(tokens, positions, items, parts), arrivals, numbers_of(batch))
    if q.is_cuda:
        with torch.cuda.device_of(q):
            launch(batch, sharing, scale, Attended(out, lse), cut_of(batch))
    else:
        answer = relay_attention_reference(batch, sharing.groups, scale, precision=torch.float32)
        out.copy_(answer.out)
        lse.copy_(answer.lse)


@_relay_attention.register_fake
def _(*operands: object) -> None:
    """Nothing is returned: the results lie in `out` and `lse`."""


def launch(batch: PagedBatch, sharing: Sharing, scale: float, result: Attended, cut: Cut) -> None:
    """Run the kernel on the batch's device, or Triton's interpreter on the CPU; the sharing's work was cut by `cut`."""
    from abaci.backend.kernels.relay.kernel import relay_attention_kernel

    work, kinds = sharing.work, sharing.work.parts.shape[0]
    if batch.tokens == 0:
        return
    size = (count_partials(batch, kinds, cut), batch.q_heads, batch.head_size)
    partial = torch.empty(size, dtype=torch.float32, device=batch.q.device)
    relay_attention_kernel[(batch.kv_heads * work.items.shape[0],)](
        *tensors(batch)[:4],
        work.tokens,
        work.positions,
        work.items,
        work.parts,
        sharing.arrivals,
        partial,
        torch.empty(size[:2], dtype=torch.float32, device=batch.q.device),
        result.out,
        result.lse,
        batch.tokens,
        scale * LOG2_E,
        *strides(batch, result),
        HQ=batch.q_heads,
        G=batch.group,
        D=batch.head_size,
        BLOCK_D=block_size(batch.head_size),
        P=batch.page_size,
        BLOCK_M=cut.tiling.block_m,
        TILE=cut.tiling.tile,
        KINDS=kinds,
        MIN_ROWS=MIN_ROWS,
        **compiler_options(cut.tiling),
    )
