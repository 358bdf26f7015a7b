"""Equality of answers that needs no algebra: same canonical text, or exact numbers."""

from __future__ import annotations

import re
from fractions import Fraction

from abaci.answers.normalize import canonical
from abaci.answers.numbers import Number, parse_number

FLOAT_TOLERANCE = Fraction(1, 10**6)
"""How far, absolutely and relatively, a written decimal may be from a value that it rounds."""

FLOAT_NOISE = Fraction(1, 10**12)
"""Relative error of double precision, with room; below this a decimal is taken for the number it is next to."""

LENIENT_TOLERANCE = Fraction(1, 10**4)
"""ToRA's relative tolerance."""

_WORD = re.compile(r"[a-zA-Z]{2,}(?: [a-zA-Z]+)*")
_BASED = re.compile(r"(\w+)_\{(\d{1,2})\}")
_PERCENT = re.compile(r"(?:\\?%|percent|percentage|pct)[\s.$\\)\]*}]*$", re.IGNORECASE)


def compare_exact(first: str, second: str, *, is_lenient: bool = False) -> bool | None:
    """Whether two answers are equal, or None where that takes algebra to decide. Symmetric; never evaluates the text.

    Args:
        first: an answer, raw or canonical.
        second: another.
        is_lenient: numbers within ToRA's relative 1e-4 of each other, of a hundredth or of a hundredfold are equal.
    """
    a, b = canonical(first), canonical(second)
    if not a or not b:
        return False
    if a == b or (_WORD.fullmatch(a) and a.casefold() == b.casefold()):
        return True
    x, y = parse_number(a), parse_number(b)
    if x is not None and y is not None:
        if is_lenient:
            return _is_close_lenient(x.value, y.value)
        return _is_same_number(x, y) or _is_same_percentage(x, y, first, second)
    return _compare_based(a, b)


def _is_same_number(x: Number, y: Number) -> bool:
    if x.value == y.value:
        return True
    if not (x.is_decimal or y.is_decimal):
        return False
    difference, size = abs(x.value - y.value), max(abs(x.value), abs(y.value))
    if min(abs(x.value), abs(y.value)) == 0:
        return difference <= FLOAT_NOISE
    return difference <= size * FLOAT_NOISE or difference <= FLOAT_TOLERANCE * min(Fraction(1), size)


def _is_same_percentage(x: Number, y: Number, first: str, second: str) -> bool:
    """`50%` is 50 per cent and also 0.5: one sided signs are tried both ways."""
    is_first, is_second = bool(_PERCENT.search(first)), bool(_PERCENT.search(second))
    if is_first == is_second:
        return False
    percent, plain = (x, y) if is_first else (y, x)
    return _is_same_number(Number(percent.value / 100, percent.is_decimal), plain)


def _is_close_lenient(x: Fraction, y: Fraction) -> bool:
    return any(
        abs(x * scale - y) <= LENIENT_TOLERANCE * max(abs(x * scale), abs(y))
        for scale in (Fraction(1), Fraction(100), Fraction(1, 100))
    )


def _compare_based(a: str, b: str) -> bool | None:
    """Numerals with a base: `204_5` equals `204`, since the question fixed the base, but not `204_7`."""
    x, y = _BASED.fullmatch(a), _BASED.fullmatch(b)
    if x is None and y is None:
        return None
    if x is not None and y is not None:
        return False if x[2] == y[2] else None
    based, plain = (x, b) if x is not None else (y, a)
    return True if based is not None and based[1] == plain and plain.isalnum() else None
