"""Equality without algebra."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abaci.answers.equality import compare_exact


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (r"\frac{1}{3}", r"\dfrac{1}{3}"),
        ("5", "5.0"),
        ("1,000", "1000"),
        (r"\frac{1}{2}", "0.5"),
        ("918.5", r"918\frac{1}{2}"),
        ("2.66666666666667", r"\frac{8}{3}"),
        ("33333.333333333336", r"\frac{100000}{3}"),
        ("1e3", "1000"),
        ("0", "1.2e-16"),
        ("10%", "10"),
        ("10%", "0.1"),
        ("even", "Even"),
        ("204_5", "204"),
        (r"\text{(C)}", "C"),
    ],
)
def test_equal_answers_are_equal_either_way(first: str, second: str) -> None:
    assert compare_exact(first, second) is True
    assert compare_exact(second, first) is True


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("7500", "75"),
        ("5", "0.05"),
        (r"\frac{1}{3}", "0.33"),
        ("326.5", "326.53"),
        ("0.0000001", "0.0000002"),
        ("1234567", "1234567.5"),
        ("", ""),
        ("", "5"),
        ("$", "5"),
        ("204_5", "203_5"),
    ],
)
def test_different_answers_are_different_either_way(first: str, second: str) -> None:
    assert compare_exact(first, second) is False
    assert compare_exact(second, first) is False


@pytest.mark.parametrize(
    ("first", "second"),
    [("x+1", "1+x"), ("A", "a"), (r"\sqrt{4}", "2"), ("204_5", "54"), ("9" * 500, "8" * 500), ("Evelyn", "5")],
)
def test_the_rest_is_left_to_algebra(first: str, second: str) -> None:
    assert compare_exact(first, second) is None


@pytest.mark.parametrize(("gold", "pred"), [("7500", "75"), ("42", "4200"), ("5", "0.05"), ("326.5", "326.53")])
def test_leniency_has_the_published_tolerances(gold: str, pred: str) -> None:
    assert compare_exact(gold, pred, is_lenient=True) is True


@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
def test_fractions_are_equal_exactly_when_their_values_are(x: object, y: object) -> None:
    assert compare_exact(str(x), str(y)) is (x == y)


@given(st.text(alphabet="0123456789./-,%x()", max_size=12), st.text(alphabet="0123456789./-,%x()", max_size=12))
def test_the_order_never_matters(first: str, second: str) -> None:
    assert compare_exact(first, second) == compare_exact(second, first)
