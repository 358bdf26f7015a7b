"""The tests' own patch of Triton's interpreter does what it says, and is still needed."""

from __future__ import annotations

import torch
from bf16_interpreter import cast_kernel, product_kernel, uninstalled


def product() -> tuple[torch.Tensor, torch.Tensor]:
    a, b = torch.randn(2, 16, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    out = torch.empty(16, 16)
    product_kernel[(1,)](a, b, out)
    return out, a.double() @ b.double()


def cast() -> tuple[torch.Tensor, torch.Tensor]:
    numbers = torch.randn(1024, generator=torch.Generator().manual_seed(0))
    # A tie to either side, and the numbers without neighbours.
    numbers[:6] = torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, torch.inf, -torch.inf, 0.0, -0.0])
    out = torch.empty(1024, dtype=torch.bfloat16)
    cast_kernel[(1,)](numbers, out, 1024)
    return out, numbers.bfloat16()


def test_bf16_products_are_right_with_the_patch() -> None:
    out, expected = product()
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=1e-5)


def test_casts_to_bf16_round_with_the_patch() -> None:
    out, expected = cast()
    assert torch.equal(out, expected)


def test_triton_has_not_mended_its_interpreter() -> None:
    """When this fails, delete the patch."""
    with uninstalled():
        (out, expected), (rounded, numbers) = product(), cast()
    assert not torch.allclose(out.double(), expected, atol=0.1)
    assert not torch.equal(rounded, numbers)
