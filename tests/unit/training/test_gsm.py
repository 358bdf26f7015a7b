"""Programs from annotated word problems, and new numbers for them. The problem here is our own."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from training import gsm
from training.execute import run
from training.plans import NUMBER

QUESTION = "Tom packs 48 jars in 6 boxes. He sells each box for $15. How much does he earn in all from 8 jars a box?"
ANSWER = "There are 48/8 = <<48/8=6>>6 boxes.\nHe earns 6*15 = $<<6*15=90>>90.\n#### 90"


def source(tmp_path: Path, question: str = QUESTION, answer: str = ANSWER) -> list[gsm.Source]:
    path = tmp_path / "rows.jsonl.gz"
    with gzip.open(path, "wt") as out:
        out.write(json.dumps({"question": question, "answer": answer}) + "\n")
    return gsm.read(path)


def test_program_names_earlier_results(tmp_path: Path) -> None:
    code, literals = gsm.program(source(tmp_path)[0])
    assert code == "a = 48 / 8\nprint(a * 15)"
    assert literals == {48.0, 8.0, 15.0}


def test_program_gives_the_gold_answer(tmp_path: Path) -> None:
    code, _ = gsm.program(source(tmp_path)[0])
    assert run(code) == ("90.0", None)


def test_new_numbers_keep_whole_results_whole(tmp_path: Path) -> None:
    found = source(tmp_path)[0]
    for seed in range(20):
        row = gsm.row(found, random.Random(seed), is_new=True)
        if row is not None:
            output, error = run(row.turns[0][0])
            assert error is None
            assert float(output) == int(float(output)) > 0


def test_new_numbers_are_those_of_the_question(tmp_path: Path) -> None:
    row = gsm.row(source(tmp_path)[0], random.Random(4), is_new=True)
    assert row is not None
    asked = {number.replace(",", "") for number in NUMBER.findall(row.question)}
    assert set(gsm._LITERAL.findall(row.turns[0][0])) <= asked


def test_notes_that_do_not_give_the_gold_answer_are_left_out(tmp_path: Path) -> None:
    assert source(tmp_path, answer="<<48/8=6>>6\n#### 7") == []


def test_code_in_a_note_is_left_out(tmp_path: Path) -> None:
    assert source(tmp_path, answer="<<__import__('os')=6>>6\n#### 6") == []


def test_percentages_become_fractions(tmp_path: Path) -> None:
    found = source(tmp_path, "Of 200 jars 25% are red. How many is that?", "<<200*25%=50>>50\n#### 50")
    assert run(gsm.program(found[0])[0])[0] == "50.0"


def test_names_are_exchanged() -> None:
    assert "Tom" not in gsm.renamed("Tom has 3 jars. Ask Tom.", random.Random(1))


def test_short_program_is_one_expression(tmp_path: Path) -> None:
    assert gsm.inlined(gsm.program(source(tmp_path)[0])[0]) == "print(48 / 8 * 15)"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("a = 48 - 8\nprint(a * 15)", "print((48 - 8) * 15)"),
        ("a = 48 - 8\nprint(15 - a)", "print(15 - (48 - 8))"),
        ("a = 48 / 8\nprint(15 / a)", "print(15 / (48 / 8))"),
        ("a = 4 * 8\nb = a + 2\nprint(b / a)", "print((4 * 8 + 2) / (4 * 8))"),
        ("a = 4 + 8\nb = 9 - a\nprint(a - b)", "print(4 + 8 - (9 - (4 + 8)))"),
    ],
)
def test_parentheses_stand_where_they_are_needed(code: str, expected: str) -> None:
    assert gsm.inlined(code) == expected
    assert run(expected) == run(code)


def test_long_program_stays_as_it_is() -> None:
    code = "a = 1 + 2\nb = a + 3\nc = b + 4\nprint(c + 5)"
    assert gsm.inlined(code) == code


def test_number_from_nowhere_is_not_grounded(tmp_path: Path) -> None:
    asked = "Tom packs six jars and sells each for $15. How much does he earn?"
    assert gsm.is_grounded(source(tmp_path, asked, "<<6*15=90>>90\n#### 90")[0])
    assert not gsm.is_grounded(source(tmp_path, asked, "<<18*5=90>>90\n#### 90")[0])


def test_remarks_hold_no_number_and_no_question(tmp_path: Path) -> None:
    asked = "Tom is saving for a new bike. He sells 6 jars for $15 each. He has two bags. How much does he earn?"
    assert gsm.remarks(source(tmp_path, asked, "<<6*15=90>>90\n#### 90")) == ["Tom is saving for a new bike."]
