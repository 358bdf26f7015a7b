"""When a model counts as stuck in a loop."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abaci.agents.repetition import MIN_REPEATED_CHARS, MIN_REPEATS, WINDOW_CHARS, is_looping

# Examples are judged by what they show, not by how long a busy machine takes.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

PROSE = " ".join(f"Step {i}: the value of f({i}) is {i * i + 7 * i}, so we add it to {i**3}." for i in range(60))


@pytest.mark.parametrize(
    "piece", ["So the answer is 42. ", "Wait, let me check again.\n", "ab", "| 0 | 1 |\n", "1, 2, "]
)
def test_a_sentence_written_over_and_over_is_a_loop(piece: str) -> None:
    assert is_looping(PROSE + piece * (MIN_REPEATED_CHARS // len(piece) + MIN_REPEATS))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        PROSE,
        "again " * 5,
        "The same sentence, but said only five times, is no loop, however long it may be to read. " * 5,
        "0" * (WINDOW_CHARS - 1),
        "x = 1" + " " * (WINDOW_CHARS - 100) + "y",
        "\n".join(f"| {i} | {i * i} |" for i in range(200)),
        str(3**2000),
    ],
)
def test_honest_text_is_no_loop(text: str) -> None:
    assert not is_looping(text)


def test_a_loop_that_ended_is_no_loop_any_more() -> None:
    assert not is_looping("again and " * 60 + PROSE)


def test_one_character_is_a_loop_once_it_fills_the_window() -> None:
    assert is_looping("=" * WINDOW_CHARS)


def test_a_loop_cut_off_in_the_middle_of_a_piece_is_still_one() -> None:
    assert is_looping(PROSE + ("and so on and so forth, " * 20)[:-7])


@given(st.text(min_size=2, max_size=60), st.integers(MIN_REPEATS, 40))
@patient
def test_any_piece_repeated_long_enough_is_a_loop(piece: str, times: int) -> None:
    is_long = len(piece) * times >= MIN_REPEATED_CHARS
    is_one_character = len(set(piece)) == 1
    assert is_one_character or is_looping("." + piece * times) == is_long or not is_long


@given(st.text(max_size=400))
@patient
def test_no_text_makes_it_fail(text: str) -> None:
    assert is_looping(text * 4) in (True, False)
