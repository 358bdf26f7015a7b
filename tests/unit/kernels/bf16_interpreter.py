"""bfloat16 for Triton's interpreter, which keeps it as uint16: it multiplies the bit patterns in `tl.dot`, and cuts
float32 off where it should round. `test_bf16_interpreter` notices when Triton has mended both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import triton
import triton.language as tl
from triton.runtime.interpreter import InterpreterBuilder, TensorHandle

_create_dot, _cast = InterpreterBuilder.create_dot, InterpreterBuilder.cast_impl


def _widen(handle: TensorHandle) -> Any:
    """The numbers, bfloat16 as float32."""
    if handle.dtype.scalar == tl.bfloat16:
        return (handle.data.astype(np.uint32) << 16).view(np.float32)
    return handle.data


def _dot(self: Any, a: TensorHandle, b: TensorHandle, d: TensorHandle, precision: Any, imprecise: Any) -> TensorHandle:
    if tl.bfloat16 not in (a.dtype.scalar, b.dtype.scalar):
        return _create_dot(self, a, b, d, precision, imprecise)
    return TensorHandle(np.matmul(_widen(a), _widen(b), dtype=d.data.dtype) + d.data, d.dtype.scalar)


def _cast_rounding(self: Any, source: TensorHandle, target: Any) -> TensorHandle:
    if source.dtype.scalar != tl.float32 or target.scalar != tl.bfloat16:
        return _cast(self, source, target)
    bits = source.data.astype(np.float32).view(np.uint32)
    # To the nearest, ties to even: half of the last place that stays is added, less one if that place is even.
    rounded = ((bits.astype(np.uint64) + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return TensorHandle(np.where(np.isnan(source.data), np.uint16(0x7FC0), rounded), tl.bfloat16)


def install() -> None:
    """Let the interpreter compute with bfloat16 properly from now on."""
    InterpreterBuilder.create_dot, InterpreterBuilder.cast_impl = _dot, _cast_rounding


@contextlib.contextmanager
def uninstalled() -> Iterator[None]:
    """The interpreter as Triton ships it."""
    InterpreterBuilder.create_dot, InterpreterBuilder.cast_impl = _create_dot, _cast
    try:
        yield
    finally:
        install()


@triton.jit
def product_kernel(a_ptr, b_ptr, out_ptr):
    """The product of two 16 × 16 matrices in bfloat16, as float32."""
    row = tl.arange(0, 16)
    at = row[:, None] * 16 + row[None, :]
    tl.store(out_ptr + at, tl.dot(tl.load(a_ptr + at), tl.load(b_ptr + at)))


@triton.jit
def cast_kernel(source_ptr, out_ptr, SIZE: tl.constexpr):
    """SIZE numbers of float32 as bfloat16."""
    at = tl.arange(0, SIZE)
    tl.store(out_ptr + at, tl.load(source_ptr + at).to(tl.bfloat16))
