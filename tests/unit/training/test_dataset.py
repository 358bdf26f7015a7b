"""Building the training set."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from training import dataset, repair
from training.chat import Weights, parts, text
from training.dataset import WrongProgram, executed, generate, held_out, known, ngrams, reserved
from training.problem import Row

SUM = Row("add_two", "What is 2 + 3?", "Add.", (("print(2 + 3)", "5"),), "5")


@pytest.fixture
def without_external(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABACI_DATA", str(tmp_path / "absent"))


@pytest.mark.usefixtures("without_external")
def test_same_seed_builds_the_same_rows() -> None:
    mix = dataset.Mix(families=120, repairs=10)
    assert dataset.build(mix, 5, 1) == dataset.build(mix, 5, 1)


@pytest.mark.usefixtures("without_external")
def test_training_set_holds_every_class() -> None:
    rows, counts = dataset.build(dataset.Mix(families=200, repairs=40), 1, 1)
    assert counts["repairs"] > 10
    assert any(len(row.turns) == 2 for row in rows)
    assert any(not row.turns and row.answer is not None for row in rows)
    assert any(row.answer is None for row in rows)


@pytest.mark.usefixtures("without_external")
def test_no_held_out_question_is_in_the_training_set() -> None:
    rows, _ = dataset.build(dataset.Mix(families=300, repairs=0), 1, 1)
    trained = frozenset(row.question for row in rows)
    for split in ("numbers", "phrasings", "families"):
        questions = {row.question for row in held_out(split, 150, exclude=trained)}  # type: ignore[arg-type]
        assert questions
        assert not questions & trained


def test_reserved_families_are_not_trained_on() -> None:
    assert not {kind.name for kind in known()} & {kind.name for kind in reserved()}
    assert {row.family for row in held_out("families", 40)} == {kind.name for kind in reserved()}


def test_wrong_program_stops_the_build() -> None:
    row = Row("add_two", "What is 2 + 3?", "Add.", (("print(2 - 3)", ""),), None)
    with pytest.raises(WrongProgram, match="expected '5'"):
        list(executed([(row, "5")], 1))


def test_generation_follows_the_weights() -> None:
    rows = [row for row, _ in generate(known(), 2000, "train")]
    stories = sum(row.family == "change_join" for row in rows)
    sums = sum(row.family == "add_two" for row in rows)
    assert stories == pytest.approx(3 * sums, abs=3)


def test_ngrams_ignore_case_and_marks() -> None:
    assert ngrams("One two, three four five six seven EIGHT!") == {"one two three four five six seven eight"}


def test_short_question_has_no_ngram() -> None:
    assert ngrams("What is 2 + 3?") == set()


def test_rows_survive_a_file(tmp_path: Path) -> None:
    rows = [SUM, Row("refusal", "Hi", "No.", (), None)]
    dataset.save(rows, tmp_path / "rows.jsonl.gz")
    assert dataset.load(tmp_path / "rows.jsonl.gz") == rows


def test_text_of_a_row_is_the_documented_format() -> None:
    assert text(SUM) == (
        "<|user|>\nWhat is 2 + 3?\n<|assistant|>\nAdd.\n```python\nprint(2 + 3)\n```\n```output\n5\n```\n"
        "The answer is $\\boxed{5}$.<|end|>"
    )


def test_failed_program_weighs_nothing() -> None:
    broken = repair.episode(SUM, random.Random(1))
    assert broken is not None
    weights = [weight for piece, weight in parts(broken, Weights()) if "```python" in piece]
    assert weights == [0.0, 1.0]


def test_repair_episode_shows_the_error_and_ends_right() -> None:
    for seed in range(10):
        broken = repair.episode(SUM, random.Random(seed))
        assert broken is not None
        assert "Error" in broken.turns[0][1]
        assert broken.turns[1] == SUM.turns[0]


@pytest.mark.external
def test_training_rows_share_no_8_gram_with_a_test_question() -> None:
    folder = dataset.external_data()
    if folder is None:
        pytest.skip("the external data is not here")
    forbidden = dataset.test_ngrams(folder)
    assert len(forbidden) > 100_000
    rows, counts = dataset.build(dataset.Mix(families=100, gsm_copies=0, repairs=0), 1, 1)
    assert counts["dropped_contaminated"] > 0
    assert not any(ngrams(row.question) & forbidden for row in rows)


def test_emphasis_multiplies_a_family() -> None:
    names = [row.family for row, _ in generate(known(), 2000, "train")]
    more = [row.family for row, _ in generate(known(), 2000, "train", emphasis={"add_two": 3.0})]
    assert more.count("add_two") > 2 * names.count("add_two")


def test_remarks_come_before_word_problems_only() -> None:
    story = Row("two_boxes", "Ann has 2 jars. How many is that?", "", (), "2")
    rows = dataset.remarked([SUM, story], ["It is raining."], 1.0, random.Random(1))
    assert [row.question for row in rows] == [SUM.question, f"It is raining. {story.question}"]
