"""Which tokens stay visible, and at which positions they are seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from abaci.backend.kernels.common.batch import shape


@dataclass(frozen=True)
class Rotary:
    """The rotary embedding that queries and keys carry already, at their absolute positions.

    Raises:
        ValueError: `inv_freq` is no vector of float32.
    """

    inv_freq: torch.Tensor
    """[R], float32: radians a token of each pair of elements; 2 R <= D, the elements past 2 R are not rotated"""
    is_neox: bool = True
    """Pairs are (i, i + R) as in GPT-NeoX and Llama; otherwise (2 i, 2 i + 1) as in GPT-J"""

    def __post_init__(self) -> None:
        if self.inv_freq.dim() != 1 or self.inv_freq.dtype != torch.float32 or self.inv_freq.numel() == 0:
            raise ValueError(f"inv_freq must be [R] float32, not {shape(self.inv_freq)} {self.inv_freq.dtype}")


@dataclass(frozen=True)
class SinkWindow:
    """A query at position p sees token j <= p if j < `n_sinks` or p - j < `window` (StreamingLLM, arXiv:2309.17453).

    With positions "absolute" queries and keys keep their rotation. With "cache", the paper's way, distances are those
    within a cache of `n_sinks + window` tokens: the window's are the same, and only a query's distance to the sinks
    shrinks. So keys are never rotated again: the query is, once, for the sinks (section 3.2 rotates all keys instead,
    which gives the same products).

    Raises:
        ValueError: a size out of range, or cache positions without the rotary embedding.
    """

    n_sinks: int
    window: int
    """Tokens, the query's own among them"""
    positions: Literal["cache", "absolute"] = "absolute"
    rotary: Rotary | None = None
    """Needed with positions "cache" only"""

    def __post_init__(self) -> None:
        if self.n_sinks < 0 or self.window < 1:
            raise ValueError(f"n_sinks must be >= 0 and window >= 1, not {self.n_sinks} and {self.window}")
        if self.size >= 1 << 31:
            raise ValueError(f"n_sinks + window must be below 2**31, not {self.size}: positions are int32")
        if self.positions not in ("cache", "absolute"):
            raise ValueError(f'positions must be "cache" or "absolute", not {self.positions!r}')
        if self.positions == "cache" and self.rotary is None:
            raise ValueError('positions="cache" needs the rotary embedding of the queries')

    @property
    def size(self) -> int:
        """Tokens that a query can see."""
        return self.n_sinks + self.window
