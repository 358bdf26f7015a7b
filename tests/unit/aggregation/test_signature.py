"""What two atoms must share exactly."""

from __future__ import annotations

import pytest

from abaci.aggregation.signature import digits, signature


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("x = 3", "x = 5"),
        ("x = 3", "x = -3"),
        ("x = 3", "y = 3"),
        ("x = 3 and y = 5", "x = 5 and y = 3"),
        ("x < 3", "x > 3"),
        ("x \\le 3", "x < 3"),
        ("The sum is 5 + 3.", "The sum is 5 - 3."),
        ("There are two apples.", "There are three apples."),
        ("She has 3 more apples.", "She has 3 fewer apples."),
        ("It has at least 4 roots.", "It has at most 4 roots."),
        ("The function is continuous.", "The function is not continuous."),
        ("It does converge.", "It doesn't converge."),
        ("The number is odd.", "The number is even."),
        ("It costs 5%.", "It costs 5."),
        ("Take \\sin of it.", "Take \\cos of it."),
        ("The price is 1.5.", "The price is 15."),
        ("The total is 5 plus 3.", "The total is 5 minus 3."),
        ("We add 3 and 5.", "We subtract 3 and 5."),
        ("Now square both sides.", "Now cube both sides."),
        ("It is defined.", "It is undefined."),
        ("There are thirty apples.", "There are forty apples."),
        ("A third of them is red.", "A quarter of them is red."),
        ("So x² = 4.", "So x³ = 4."),
        ("Here x₁ = 4.", "Here x₂ = 4."),
        ("It is ½ of that.", "It is ¼ of that."),
        ("The angle θ is 30.", "The angle α is 30."),
        ("It is √5 long.", "It is 5 long."),
        ("So |x| = 3.", "So x = 3."),
        ("Here A ⊂ B.", "Here A ∩ B."),
        ("So n ∣ 4.", "So n ∤ 4."),
    ],
)
def test_different_claims_have_different_signatures(first: str, second: str) -> None:
    assert signature(first) != signature(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("The total is 1,000 dollars.", "In total, it is 1000.0 dollars."),
        ("So x equals 3.", "Therefore $x = 3$."),
        ("There are twelve eggs in a box.", "A box holds 12 eggs."),
        ("Then \\frac{1}{2} of it is gone.", "Thus \\dfrac{1}{2} of it goes."),
        ("The train doesn't stop.", "The train never stops."),
        ("3 \\times 4 = 12", "3 * 4 = 12"),
        ("3 · 4 = 12", "3 × 4 = 12"),
        ("5 plus 3 equals 8", "5 + 3 = 8"),
        ("We add 3 and 5.", "Adding 3 and 5 is next."),
        ("It doesn’t hold — never mind…", "It doesn't hold, never mind."),
        ("The café is “open”.", "The cafe is open."),
    ],
)
def test_two_ways_to_say_the_same_have_the_same_signature(first: str, second: str) -> None:
    assert signature(first) == signature(second)


def test_digits_are_numbers_in_one_form_without_those_that_count_lines() -> None:
    text = "1. Of 1,200 jars\nStep 2: take 3.50 or 0.5, not two.\n3.5 is left"
    assert digits(text) == {"1200", "3.5", ".5"}
