"""Which stop string ends a text."""

from __future__ import annotations

from abaci.backend.stops import find_stop


def test_none_is_found_in_a_text_without_any() -> None:
    assert find_stop("abc", ("x", "yz")) is None


def test_the_one_that_is_complete_first_counts() -> None:
    assert find_stop("a long one, b", ("long one", "a lo")) == ("a lo", 4)


def test_of_those_that_end_together_the_longest_counts() -> None:
    assert find_stop("```output", ("output", "```output")) == ("```output", 9)


def test_an_empty_stop_string_is_ignored() -> None:
    assert find_stop("abc", ("",)) is None
