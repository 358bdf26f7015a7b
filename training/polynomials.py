"""Polynomials by their coefficients (constant first): arithmetic and the ways to write them."""

from __future__ import annotations

import random
from collections.abc import Sequence


def code(c: Sequence[int], x: str = "x") -> str:
    """As Python: `3*x**2 - x + 1`."""
    return _join(c, lambda k: "" if k == 0 else x if k == 1 else f"{x}**{k}", "*", " ")


def latex(c: Sequence[int], x: str = "x") -> str:
    """As SymPy's `latex` writes it: `3 x^{2} - x + 1`."""
    return _join(c, lambda k: "" if k == 0 else x if k == 1 else f"{x}^{{{k}}}", " ", " ")


def plain(c: Sequence[int], x: str = "x", blank: str = "") -> str:
    """As people type it: `3x^2-x+1`; `blank` stands around the signs."""
    return _join(c, lambda k: "" if k == 0 else x if k == 1 else f"{x}^{k}", "", blank)


def shown(rng: random.Random, c: Sequence[int], x: str = "x") -> str:
    """One of the usual ways to write it in a question."""
    style = rng.randrange(5)
    if style == 0:
        return plain(c, x)
    if style == 1:
        return plain(c, x, " ")
    if style == 2:
        return f"${latex(c, x).replace(' ', '')}$"
    if style == 3:
        return f"${plain(c, x, ' ')}$"
    return code(c, x)


def derivative(c: Sequence[int]) -> list[int]:
    """Coefficients of the derivative."""
    return [k * a for k, a in enumerate(c)][1:] or [0]


def product(a: Sequence[int], b: Sequence[int]) -> list[int]:
    """Coefficients of the product."""
    result = [0] * (len(a) + len(b) - 1)
    for i, u in enumerate(a):
        for j, v in enumerate(b):
            result[i + j] += u * v
    return result


def value(c: Sequence[int], x: int) -> int:
    """The value at `x`."""
    return sum(a * x**k for k, a in enumerate(c))


def _join(c: Sequence[int], unknown: object, times: str, blank: str) -> str:
    """The terms from the highest power down."""
    text = ""
    for k in range(len(c) - 1, -1, -1):
        a = c[k]
        if a == 0:
            continue
        letter = unknown(k)  # type: ignore[operator]
        size = abs(a)
        term = f"{size}" if not letter else letter if size == 1 else f"{size}{times}{letter}"
        if not text:
            text = term if a > 0 else f"-{term}"
        else:
            text += f"{blank}{'+' if a > 0 else '-'}{blank}{term}"
    return text or "0"
