"""Numbers read exactly."""

from __future__ import annotations

from fractions import Fraction

import pytest

from abaci.answers.numbers import MAX_NUMBER_CHARS, parse_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", Fraction(5)),
        ("-5", Fraction(-5)),
        ("007", Fraction(7)),
        ("2.5", Fraction(5, 2)),
        (r"\frac{1}{3}", Fraction(1, 3)),
        (r"-\frac{1}{3}", Fraction(-1, 3)),
        (r"\frac{-1}{3}", Fraction(-1, 3)),
        (r"\frac{1.5}{3}", Fraction(1, 2)),
        (r"918\frac{1}{2}", Fraction(1837, 2)),
        (r"-1\frac{1}{2}", Fraction(-3, 2)),
        ("1.5/3", Fraction(1, 2)),
        (r"1.5\times10^{3}", Fraction(1500)),
        (r"10^{-2}", Fraction(1, 100)),
    ],
)
def test_plain_numbers_are_exact(text: str, value: Fraction) -> None:
    number = parse_number(text)
    assert number is not None
    assert number.value == value


@pytest.mark.parametrize(
    "text",
    ["", "x", "1,2", r"\frac{1}{0}", "1/0", r"2\frac{3}{2}", r"2\frac{1}{2.5}", r"10^{99999}", "1e5", "\u0665x", "1_2"],
)
def test_everything_else_is_no_number(text: str) -> None:
    assert parse_number(text) is None


def test_oversized_numerals_are_left_alone() -> None:
    assert parse_number("1" * (MAX_NUMBER_CHARS + 1)) is None


def test_decimals_are_known_to_be_rounded() -> None:
    assert [parse_number(text).is_decimal for text in ("0.5", r"\frac{1}{2}", "3")] == [True, False, False]  # type: ignore[union-attr]
