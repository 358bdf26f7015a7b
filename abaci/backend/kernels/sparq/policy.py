"""How much of the cache SparQ attention reads, and what it keeps beside the cache to read less."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from abaci.backend.kernels.common.batch import PagedBatch, check_rank, shape

MAX_KEYS = 8192


@dataclass(frozen=True)
class Sparq:
    """What a decode step reads (SparQ attention, arXiv:2312.04985, in its authors' form for grouped queries).

    For each key-value head: the `components` of its queries that are largest, by the sum of their magnitudes over the
    group, estimate the scores of all tokens. The `keys` tokens of the highest estimates, summed over the group, are
    attended over exactly, the last `local` ones always among them. The weight that the estimates give to all others
    goes to the mean of all values. Of equal magnitudes the lower component is taken, of equal estimates the earlier
    token.

    `keys` and `local` count the current token; the authors' k and l do not, and are less by one.
    Requests of at most `dense_tokens` tokens, or of at most `keys`, are attended over whole.

    Raises:
        ValueError: a size out of range.
    """

    components: int
    """r"""
    keys: int
    """k, at most 8192"""
    local: int = 1
    dense_tokens: int = 4096

    def __post_init__(self) -> None:
        if self.components < 1:
            raise ValueError(f"components must be at least 1, not {self.components}")
        if not 1 <= self.local <= self.keys <= MAX_KEYS:
            raise ValueError(f"1 <= local <= keys <= {MAX_KEYS} must hold, not local {self.local} and keys {self.keys}")
        if self.dense_tokens < 0:
            raise ValueError(f"dense_tokens must be >= 0, not {self.dense_tokens}")

    @property
    def whole_tokens(self) -> int:
        """Requests of up to this many tokens are attended over whole: `keys` tokens would be all of them anyway."""
        return max(self.dense_tokens, self.keys)


@dataclass(frozen=True)
class SparqIndex:
    """What lies beside the pages of keys and values; `append_tokens` keeps it up to date.

    A component of many keys is contiguous in `columns` and scattered in `k_pages`, so keys are stored twice, half as
    much memory again for the cache. Without `columns` the keys themselves are read for their components: right for any
    layout, and fast if `k_pages` has tokens innermost (as `transposed_pages` makes them), which stores keys once and
    gathers the exact ones element by element instead. Pages of 64 tokens or more are read at full width.

    Raises:
        ValueError: a tensor has not the shape or type that it must have.
    """

    v_sums: torch.Tensor
    """[N, Hk, D], float32: the sum of a page's values; of pages whose tokens were all written, else it is not read"""
    columns: torch.Tensor | None = None
    """[N, Hk, D, P] in the type of the keys: each page transposed"""

    def __post_init__(self) -> None:
        check_rank({"v_sums": (self.v_sums, 3)})
        if self.columns is not None:
            check_rank({"columns": (self.columns, 4)})

    def columns_of(self, batch: PagedBatch) -> torch.Tensor:
        """The keys as [N, Hk, D, P]: `columns`, or the pages themselves seen so."""
        return batch.k_pages.permute(0, 2, 3, 1) if self.columns is None else self.columns


def make_index(k_pages: torch.Tensor, transposed: bool = True) -> SparqIndex:
    """Room beside the pages `k_pages` [N, P, Hk, D], with or without the keys' second copy; nothing is initialised."""
    pages, page_size, kv_heads, head_size = k_pages.shape
    v_sums = k_pages.new_empty(pages, kv_heads, head_size, dtype=torch.float32)
    return SparqIndex(v_sums, k_pages.new_empty(pages, kv_heads, head_size, page_size) if transposed else None)


def transposed_pages(size: tuple[int, int, int, int], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Pages of keys, `size` being [N, P, Hk, D], with tokens innermost in memory; nothing is initialised."""
    pages, page_size, kv_heads, head_size = size
    return torch.empty(pages, kv_heads, head_size, page_size, dtype=dtype, device=device).permute(0, 3, 1, 2)


def check_index(batch: PagedBatch, index: SparqIndex) -> None:
    """Nothing, if `index` lies beside the pages of `batch`.

    Raises:
        ValueError: a tensor's shape, type or device does not fit; the message names it.
    """
    pages, page_size, kv_heads, head_size = batch.k_pages.shape
    sums = ("v_sums", index.v_sums, (pages, kv_heads, head_size), torch.float32)
    columns = ("columns", index.columns, (pages, kv_heads, head_size, page_size), batch.k_pages.dtype)
    for name, tensor, size, dtype in (sums, columns):
        if tensor is not None and (shape(tensor), tensor.dtype, tensor.device) != (size, dtype, batch.q.device):
            found = f"{shape(tensor)} {tensor.dtype} on {tensor.device}"
            raise ValueError(f"{name} must be {size} {dtype} on {batch.q.device}, not {found}")
