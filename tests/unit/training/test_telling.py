"""Frames of stories and the words that they draw from."""

from __future__ import annotations

import random

import pytest

from training import words
from training.execute import run
from training.families import FAMILIES
from training.families.telling import Goal, company, kinds, tell
from training.problem import Draft, draft

FRAMES = [name for name, kind in FAMILIES.items() if "tell" in kind.write.__code__.co_names]


def told(seed: int, goals: list[Goal], *, aside: float = 0.0) -> Draft:
    d = Draft(random.Random(seed), "train")
    d.cast(people="p", things="o")
    d.let(a=41, b=17)
    tell(d, ["{p} has {a} {o}", "{p} loses {b} of them"], goals, aside=aside)
    return d


LEFT = Goal("how many {o} are left", "Subtract", "rest = {a} - {b}; rest", 24)
LOST = Goal("find the number of {o} lost", "Only the loss", "{b}", 17)


def test_steps_become_lines_and_the_last_is_printed() -> None:
    assert told(0, [LEFT]).program == "rest = 41 - 17\nprint(rest)"


def test_question_decides_the_program() -> None:
    for seed in range(40):
        d = told(seed, [LEFT, LOST])
        assert ("left" in d.question) == (d.expected == "24")
        assert run(d.program)[0] == d.expected


def test_every_fact_is_in_the_question_whatever_its_shape() -> None:
    shapes = set()
    for seed in range(60):
        text = told(seed, [LEFT]).question
        assert "41" in text
        assert "17" in text
        assert text.endswith("?") == (not text.lower().startswith("find"))
        shapes.add((text.startswith("How"), " if " in text.lower(), text.count(".")))
    assert len(shapes) >= 4


def test_imperative_ends_with_a_full_stop() -> None:
    for seed in range(20):
        assert told(seed, [LOST]).question.endswith(".")


def test_aside_mostly_adds_a_number_and_leaves_the_program_alone() -> None:
    drafts = [told(seed, [LEFT], aside=1.0) for seed in range(60)]
    assert sum("{aside}" in d.skeleton for d in drafts) > 20
    assert {d.program for d in drafts} == {"rest = 41 - 17\nprint(rest)"}
    assert not [d for d in drafts if str(d.values["other"]) == str(d.values["o"])]


def test_article_fits_the_thing_that_was_drawn() -> None:
    d = Draft(random.Random(1), "train")
    d.show(o="umbrella", z="uniform")
    tell(d, ["{p} has a {o}, a {z} and a pen"], [LEFT], aside=0)
    assert "an umbrella, a uniform and a pen" in d.question


def test_relative_is_named_after_the_first_person() -> None:
    seen = set()
    for seed in range(80):
        d = Draft(random.Random(seed), "train")
        company(d)
        first, second = d.values["p"], d.values["q"]
        assert isinstance(first, words.Person)
        if str(second).split()[0] in ("his", "her"):
            assert str(second).startswith(first.his + " ")
            seen.add(str(second))
    assert len(seen) >= 4


def test_things_of_a_kind_are_different() -> None:
    for seed in range(30):
        d = Draft(random.Random(seed), "train")
        kinds(d, "foods", "oz")
        assert str(d.values["o"]) != str(d.values["z"])


@pytest.mark.parametrize(
    ("many", "one"),
    [
        ("puppies", "puppy"), ("pies", "pie"), ("brownies", "brownie"), ("deer", "deer"), ("foxes", "fox"),
        ("slices of pizza", "slice of pizza"), ("rose bushes", "rose bush"), ("watches", "watch"), ("shelves", "shelf"),
    ],
)  # fmt: skip
def test_singular_of_irregular_plurals(many: str, one: str) -> None:
    assert words.singular(many) == one


@pytest.mark.parametrize("name", FRAMES)
def test_frame_asks_several_questions_with_several_programs(name: str) -> None:
    programs = set()
    for seed in range(60):
        found = draft(FAMILIES[name], seed, "train")
        programs.add("".join("#" if letter.isdigit() else letter for letter in found.program).replace("##", "#"))
    assert len(programs) >= 3


@pytest.mark.parametrize("name", FRAMES)
def test_answers_of_frames_are_never_negative(name: str) -> None:
    for seed in range(60):
        assert not str(draft(FAMILIES[name], seed, "train").expected).startswith("-")
