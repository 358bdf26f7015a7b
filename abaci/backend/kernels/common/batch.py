"""What every operation attends over, checked once: the queries of a batch of requests and the pages of their cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

MAX_HEAD_SIZE = 256
DTYPES = (torch.bfloat16, torch.float16, torch.float32)


@dataclass(frozen=True)
class PagedBatch:
    """Queries of B requests and the paged keys and values that they attend over.

    The queries of request b are rows `query_starts[b] : query_starts[b + 1]` of `q`, and they are the last of its
    `seq_lens[b]` tokens, whose keys are written already. Token j of request b lies in page `block_table[b, j // P]` at
    `j % P`. Rows of `q` past `query_starts[B]` are padding (of a captured graph): they are neither read nor answered.

    The numbers in the integer tensors stay on the device and are trusted: `seq_lens` within the block table's capacity,
    pages below N, no request with more than `max_query_len` queries. Queries for which a request has too few tokens, as
    the row of a graph's padding may have, see nothing.

    Raises:
        ValueError: a tensor's shape, type or device does not fit; the message names it.
    """

    q: torch.Tensor
    """[T, Hq, D]"""
    k_pages: torch.Tensor
    """[N, P, Hk, D]"""
    v_pages: torch.Tensor
    """[N, P, Hk, D]"""
    block_table: torch.Tensor
    """[B, M], int32"""
    seq_lens: torch.Tensor
    """[B], int32: tokens of each request, its queries included"""
    query_starts: torch.Tensor
    """[B + 1], int32, ascending from 0"""
    max_query_len: int
    """An upper bound for the queries of one request; 1 in a decode step"""

    def __post_init__(self) -> None:
        check_rank({"q": (self.q, 3), "k_pages": (self.k_pages, 4), "v_pages": (self.v_pages, 4)})
        self._check_heads()
        self._check_requests()
        tensors = (self.q, self.k_pages, self.v_pages, self.block_table)
        if len({tensor.device for tensor in tensors}) != 1:
            raise ValueError(f"the tensors lie on several devices: {[str(tensor.device) for tensor in tensors]}")

    def _check_heads(self) -> None:
        if self.k_pages.shape != self.v_pages.shape:
            raise ValueError(f"k_pages {shape(self.k_pages)} and v_pages {shape(self.v_pages)} differ in shape")
        if self.q.dtype not in DTYPES or {self.k_pages.dtype, self.v_pages.dtype} != {self.q.dtype}:
            types = f"{self.q.dtype}, {self.k_pages.dtype}, {self.v_pages.dtype}"
            raise ValueError(f"q, k_pages and v_pages must share one of bfloat16, float16, float32, not {types}")
        if self.q.shape[2] != self.k_pages.shape[3] or not 1 <= self.head_size <= MAX_HEAD_SIZE:
            sizes = f"q {shape(self.q)}, k_pages {shape(self.k_pages)}"
            raise ValueError(f"the head size must agree and lie in 1..{MAX_HEAD_SIZE}: {sizes}")
        if self.kv_heads == 0 or self.q_heads == 0 or self.q_heads % self.kv_heads:
            raise ValueError(f"{self.q_heads} query heads are no positive multiple of {self.kv_heads} key-value heads")
        if self.page_size == 0:
            raise ValueError(f"pages of no token: k_pages {shape(self.k_pages)}")

    def _check_requests(self) -> None:
        if self.block_table.dim() != 2 or self.block_table.dtype != torch.int32:
            raise ValueError(
                f"block_table must be [B, M] int32, not {shape(self.block_table)} {self.block_table.dtype}"
            )
        device = self.q.device
        check_vector("seq_lens", self.seq_lens, self.requests, torch.int32, device)
        check_vector("query_starts", self.query_starts, self.requests + 1, torch.int32, device)
        if self.max_query_len < 1:
            raise ValueError(f"max_query_len must be at least 1, not {self.max_query_len}")

    @property
    def requests(self) -> int:
        """B"""
        return self.block_table.shape[0]

    @property
    def tokens(self) -> int:
        """T"""
        return self.q.shape[0]

    @property
    def q_heads(self) -> int:
        """Hq"""
        return self.q.shape[1]

    @property
    def kv_heads(self) -> int:
        """Hk"""
        return self.k_pages.shape[2]

    @property
    def group(self) -> int:
        """G, the query heads of one key-value head"""
        return self.q_heads // self.kv_heads

    @property
    def head_size(self) -> int:
        """D"""
        return self.q.shape[2]

    @property
    def page_size(self) -> int:
        """P"""
        return self.k_pages.shape[1]


@dataclass(frozen=True)
class Attended:
    """Attention's result, ready to be merged with attention over other keys."""

    out: torch.Tensor
    """[T, Hq, D] in the type of the queries; 0 for a query that sees no key"""
    lse: torch.Tensor
    """[T, Hq], float32: natural logarithm of the softmax denominators; -inf for a query that sees no key"""


def allocate(batch: PagedBatch, out: torch.Tensor | None) -> Attended:
    """Room for the result, `out` being the caller's own if given; nothing in it is initialised.

    Raises:
        ValueError: `out` has not the shape, type and device of the queries.
    """
    if out is None:
        out = torch.empty_like(batch.q)
    elif (out.shape, out.dtype, out.device) != (batch.q.shape, batch.q.dtype, batch.q.device):
        wanted = f"{shape(batch.q)} {batch.q.dtype} on {batch.q.device}"
        raise ValueError(f"out must be {wanted}, not {shape(out)} {out.dtype} on {out.device}")
    lse = torch.empty(batch.tokens, batch.q_heads, dtype=torch.float32, device=batch.q.device)
    return Attended(out, lse)


def check_vector(name: str, vector: torch.Tensor | None, size: int, dtype: torch.dtype, device: torch.device) -> None:
    """Nothing, if `vector` is None or [size] of `dtype` on `device`, contiguous.

    Raises:
        ValueError: it is not.
    """
    if vector is None:
        return
    if (shape(vector), vector.dtype, vector.device) != ((size,), dtype, device) or not vector.is_contiguous():
        layout = "contiguous" if vector.is_contiguous() else f"with stride {vector.stride(0)}"
        found = f"{shape(vector)} {vector.dtype} on {vector.device}, {layout}"
        raise ValueError(f"{name} must be [{size}] {dtype} on {device}, contiguous, not {found}")


def check_rank(ranks: Mapping[str, tuple[torch.Tensor, int]]) -> None:
    """Nothing, if each named tensor has as many dimensions as the number beside it.

    Raises:
        ValueError: one has not.
    """
    for name, (tensor, rank) in ranks.items():
        if tensor.dim() != rank:
            raise ValueError(f"{name} must have {rank} dimensions, not the shape {shape(tensor)}")


def shape(tensor: torch.Tensor) -> tuple[int, ...]:
    """The shape as a plain tuple, which prints and compares plainly."""
    return tuple(tensor.shape)
