from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abaci.cli.terminal import clean, one_line

HOSTILE = {
    "colours": "\x1b[31mred\x1b[0m",
    "the screen": "\x1b[2J\x1b[Hred",
    "the window title": "\x1b]0;owned\x07red",
    "the clipboard": "\x1b]52;c;ZXZpbA==\x1b\\red",
    "device control": "\x1bPq#0\x1b\\red",
    "one-byte sequences": "\x9b31mred",
    "bells and backspaces": "r\x07e\x08d\x00",
    "an escape at the end": "red\x1b",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_acts_on_a_terminal_is_dropped(text: str) -> None:
    assert clean(text) == "red"


def test_direction_marks_are_dropped() -> None:
    assert clean("a\u202eb\u2066c\u200b") == "abc"


def test_an_unfinished_title_does_not_swallow_the_next_line() -> None:
    assert clean("\x1b]0;owned\nThe answer is 4") == "\nThe answer is 4"


def test_mathematics_and_letters_stay() -> None:
    text = "∑ x² ≤ π ∈ ℝ, naïve café, 数学, \\frac{1}{2} [bold]"
    assert clean(text) == text


def test_foreign_line_ends_become_ours() -> None:
    assert clean("a\r\nb\rc\u2028d") == "a\nb\nc\nd"


def test_lone_surrogates_become_printable() -> None:
    assert clean("a\ud800b").encode() == "a\ufffdb".encode()


@given(st.text(alphabet=st.characters(categories=None)))
def test_nothing_but_line_ends_is_left_of_control_characters(text: str) -> None:
    left = {unicodedata.category(character) for character in clean(text) if character != "\n"}
    assert left.isdisjoint({"Cc", "Cf", "Cs"})


def test_one_line_is_one_line_and_no_longer_than_allowed() -> None:
    assert one_line("a\n\n  b\tc") == "a b c"
    assert one_line("abcdef", 4) == "abc…"
