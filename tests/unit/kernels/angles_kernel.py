"""Sine and cosine as the kernels compute them, alone."""

from __future__ import annotations

import triton
import triton.language as tl

from abaci.backend.kernels.sink.kernel import sin_cos


@triton.jit
def angles_kernel(angles_ptr, sin_ptr, cos_ptr, SIZE: tl.constexpr):
    """Of SIZE angles in float32."""
    at = tl.arange(0, SIZE)
    sin, cos = sin_cos(tl.load(angles_ptr + at))
    tl.store(sin_ptr + at, sin)
    tl.store(cos_ptr + at, cos)
