"""Every family of the problem generator."""

from __future__ import annotations

import re

import pytest

from training.dataset import agrees, boxed_form, known, reserved
from training.execute import run
from training.families import FAMILIES
from training.problem import draft

SKELETONS = 250
"""Drafts looked at when phrasings are counted."""


def test_there_are_enough_families() -> None:
    assert len(FAMILIES) >= 80


def test_a_tenth_or_so_of_the_families_is_reserved() -> None:
    assert 0.05 <= len(reserved()) / len(FAMILIES) <= 0.15


def test_every_family_says_what_it_is() -> None:
    assert not [name for name, kind in FAMILIES.items() if not kind.write.__doc__]


@pytest.mark.parametrize("name", FAMILIES)
def test_program_output_is_the_answer(name: str) -> None:
    for seed, split in [(0, "train"), (1, "numbers"), (2, "phrasings")]:
        found = draft(FAMILIES[name], seed, split)  # type: ignore[arg-type]
        if not found.program:
            assert found.rationale
            continue
        output, error = run(found.program)
        assert error is None, f"{found.program}\n{error}"
        assert output
        assert found.expected is None or agrees(output, found.expected), (found.question, output, found.expected)


@pytest.mark.parametrize("name", FAMILIES)
def test_family_has_a_dozen_phrasings(name: str) -> None:
    skeletons: set[str] = set()
    for seed in range(SKELETONS):
        skeletons.add(draft(FAMILIES[name], seed, "train").skeleton)
        skeletons.add(draft(FAMILIES[name], seed, "phrasings").skeleton)
        if len(skeletons) >= 12:
            return
    assert len(skeletons) >= 12


@pytest.mark.parametrize("name", FAMILIES)
def test_question_has_no_open_slot(name: str) -> None:
    for seed in range(12):
        question = draft(FAMILIES[name], seed, "phrasings").question
        slot = re.search(r"(?<![\\}\w^_])\{[a-z]\w*(\.\w+)?\}|[\[\]]\||<[a-z]+>|~", question)
        assert slot is None, question


def test_same_seed_gives_the_same_problem() -> None:
    for kind in FAMILIES.values():
        first, second = draft(kind, 3, "train"), draft(kind, 3, "train")
        assert (first.question, first.program, first.expected) == (second.question, second.program, second.expected)


def test_splits_draw_different_numbers() -> None:
    kind = FAMILIES["multiply_two"]
    train = {draft(kind, seed, "train").program for seed in range(50)}
    held = {draft(kind, seed, "numbers").program for seed in range(50)}
    assert len(train & held) <= 2


def test_training_never_uses_a_reserved_alternative() -> None:
    for kind in known():
        for seed in range(8):
            assert draft(kind, seed, "train").wording.reserved_used == 0


def test_every_known_family_has_a_reserved_phrasing() -> None:
    for kind in known():
        assert draft(kind, 0, "phrasings").wording.reserved_used > 0


def test_whole_number_is_boxed_without_a_decimal_point() -> None:
    assert boxed_form("24.0") == "24"


def test_polynomials_agree_in_any_order() -> None:
    assert agrees("10 - 12 x", "-12 x + 10")


def test_different_polynomials_disagree() -> None:
    assert not agrees("10 - 12 x", "-12 x + 11")
