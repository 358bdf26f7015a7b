"""Labels for the numbers of a plan."""

from __future__ import annotations

import pytest

from training import plans


@pytest.mark.parametrize(
    ("question", "code", "plan"),
    [
        ("Tom packs 48 jars in 6 boxes.", "print(48 / 6)", "jars 48 / boxes 6"),
        ("Ann sold clips to 48 of her friends.", "print(48 / 2)", "friends 48 / 2"),
        ("Mia has 13 beads and Abel has 51.", "print(51 - 13)", "Abel 51 - beads 13"),
        ("Piles of 26 and bowls of 33 stand there.", "print(26)", "Piles 26"),
        ("Leo ate nine plums.", "x = 9\nprint(x + 2)", "x = plums 9; x + 2"),
        ("A town has 1,200 houses.", "print(1200 * 3)", "houses 1200 * 3"),
    ],
)
def test_number_is_named_by_what_it_counts(question: str, code: str, plan: str) -> None:
    assert plans.labelled(question, code) == plan


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print(3 + 4)", True),
        ("x = 3\nprint(x * 4)", True),
        ("import math\nprint(3)", False),
        ("print(len([3]))", False),
    ],
)
def test_only_plain_arithmetic_has_a_plan(code: str, expected: bool) -> None:
    assert plans.is_arithmetic(code) is expected


def test_labels_of_a_sentence_stand_behind_blanks() -> None:
    assert plans.sentence("(jars 8 - lost 2) * each 3") == "Plan: ( jars 8 - lost 2) * each 3"
