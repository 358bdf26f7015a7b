"""Stories told freely: the files as they are, and what redrawing keeps."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from training import storybook
from training.execute import run

TEXT = """Maya baked 24 muffins for the bake sale. She sold 15 of them before lunch, and her brothers ate 2.
? How many muffins were left? = baked 24 - sold 15 - ate 2
? If a muffin costs $3, how much did Maya earn? = sold 15 * costs 3

There are 48 chairs in 6 rows.
? How many chairs stand in a row? = chairs 48 / rows 6
? How many chairs are there in twice as many rows? = chairs 48 * twice 2
"""
FILES = sorted(storybook.FOLDER.glob("*.txt"))


@pytest.fixture
def bank(tmp_path: Path) -> list[storybook.Story]:
    path = tmp_path / "bank.txt"
    path.write_text(TEXT, encoding="utf-8")
    return storybook.read(path)


def test_stories_are_read(bank: list[storybook.Story]) -> None:
    assert [len(story.questions) for story in bank] == [2, 2]
    assert bank[0].questions[0].program == "24 - 15 - 2"
    assert not [complaint for story in bank for complaint in storybook.complaints(story)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_is_clean(path: Path) -> None:
    found = storybook.read(path)
    assert len(found) >= 100
    assert not [complaint for story in found for complaint in storybook.complaints(story)]


def test_no_story_is_told_twice() -> None:
    facts = [story.facts for path in FILES for story in storybook.read(path)]
    assert len(facts) == len(set(facts))


@pytest.mark.parametrize("seed", range(40))
def test_program_answers_the_new_numbers(bank: list[storybook.Story], seed: int) -> None:
    rng = random.Random(seed)
    story = rng.choice(bank)
    found = storybook.told(story, rng.choice(story.questions), rng)
    output, error = run(f"print({found.program})")
    assert error is None
    assert float(output) == found.answer > 0
    assert re.findall(r"\d+", found.plan) == re.findall(r"\d+", found.program)


def test_a_story_makes_sense_whichever_question_is_asked(bank: list[storybook.Story]) -> None:
    for seed in range(200):
        change = storybook.redrawn(
            random.Random(seed), [2, 15, 24], [storybook._tree("24 - 15 - 2"), storybook._tree("15 + 2")], set()
        )
        assert change[24] > change[15] + change[2]


def test_what_a_word_stands_for_stays(bank: list[storybook.Story]) -> None:
    for seed in range(40):
        found = storybook.told(bank[1], bank[1].questions[1], random.Random(seed))
        assert found.plan.endswith("* twice 2")


def test_sentence_in_front_has_other_numbers(bank: list[storybook.Story]) -> None:
    for seed in range(40):
        found = storybook.told(bank[1], bank[1].questions[0], random.Random(seed), "Maya baked 24 muffins.")
        told, needed = re.search(r"baked (\d+)", found.question), re.findall(r"\d+", found.program)
        assert told is None or told.group(1) not in needed


def test_names_change_everywhere(bank: list[storybook.Story]) -> None:
    for seed in range(40):
        question = storybook.told(bank[0], bank[0].questions[1], random.Random(seed)).question
        assert len(set(re.findall(r"\b[A-Z][a-z]+\b", question)) - {"She", "If"}) == 1, question


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("? How many? = baked 24 - 15", "needs a label"),
        ("? How many? = baked 24 - sold 77", "77 is not in the text"),
        ("? How many? = wanted 24 - sold 15", "no word of the label"),
        ("? How many? = sold 15 - baked 24", "not a positive integer"),
        ("? How many? = baked 24 / sold 15", "not a positive integer"),
        ("? How many? = sold 24 - sold 15", "one label stands before two numbers"),
        ("? How many = baked 24 - sold 15", "without a mark"),
        ("? How many of 1.5? = baked 24 - sold 15", "the text holds"),
    ],
)
def test_fault_is_told(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "bank.txt"
    path.write_text(f"Maya baked 24 muffins and sold 15.\n{line}\n", encoding="utf-8")
    assert any(reason in complaint for complaint in storybook.complaints(storybook.read(path)[0]))


@pytest.mark.parametrize(
    "text", ["? How many? = baked 24\n", "Maya baked 24 muffins.\n", "Maya baked 24.\nHow many?\n"]
)
def test_file_that_is_not_a_bank_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bank.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="bank"):
        storybook.read(path)
