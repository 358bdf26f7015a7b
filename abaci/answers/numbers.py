"""Numbers read exactly from canonical answers: integers, decimals, fractions, mixed numbers, powers of ten."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

MAX_NUMBER_CHARS = 400
"""A longer numeral is not read as a number: it is left to the comparison of texts."""

MAX_EXPONENT = 400
"""Largest absolute power of ten that is expanded."""

_PLAIN = re.compile(r"[+-]?\d+(?:\.\d+)?")
_POWER_OF_TEN = re.compile(r"(?:([+-]?\d+(?:\.\d+)?)(?:\\times|\\cdot|\*))?10\^\{([+-]?\d{1,4})\}")
_FRACTION = re.compile(r"([+-]?)(\d{0,100})\\frac\{([+-]?\d+(?:\.\d+)?)\}\{([+-]?\d+(?:\.\d+)?)\}")
_SLASH = re.compile(r"([+-]?\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)")


class Number(NamedTuple):
    """An exact value; `is_decimal` says a decimal point or a power of ten, so a possible rounding."""

    value: Fraction
    is_decimal: bool


def parse_number(canonical: str) -> Number | None:
    """The number that a canonical answer denotes, or None where it is no plain number (or beyond the limits above)."""
    if not canonical or len(canonical) > MAX_NUMBER_CHARS:
        return None
    if _PLAIN.fullmatch(canonical):
        return _read_plain(canonical)
    power = _POWER_OF_TEN.fullmatch(canonical)
    if power:
        return _read_power(power[1] or "1", int(power[2]))
    slash = _SLASH.fullmatch(canonical)
    if slash:
        return _divide(_read_plain(slash[1]), _read_plain(slash[2]))
    fraction = _FRACTION.fullmatch(canonical)
    return _read_fraction(fraction) if fraction else None


def _read_plain(numeral: str) -> Number:
    return Number(Fraction(numeral), "." in numeral)


def _read_power(mantissa: str, exponent: int) -> Number | None:
    if abs(exponent) > MAX_EXPONENT:
        return None
    return Number(Fraction(mantissa) * Fraction(10) ** exponent, True)


def _read_fraction(match: re.Match[str]) -> Number | None:
    sign = -1 if match[1] == "-" else 1
    quotient = _divide(_read_plain(match[3]), _read_plain(match[4]))
    if quotient is None or not match[2]:
        return quotient and Number(sign * quotient.value, quotient.is_decimal)
    # A whole number before a proper fraction is a mixed number; before anything else it is a product.
    if quotient.is_decimal or not 0 < quotient.value < 1 or match[3].startswith(("+", "-")):
        return None
    return Number(sign * (int(match[2]) + quotient.value), False)


def _divide(top: Number, bottom: Number) -> Number | None:
    if bottom.value == 0:
        return None
    return Number(top.value / bottom.value, top.is_decimal or bottom.is_decimal)
