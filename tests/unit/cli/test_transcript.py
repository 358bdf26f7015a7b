from __future__ import annotations

from collections.abc import Callable

from abaci.cli.transcript import transcript_lines
from abaci.types import TraceEvent

MakeEvents = Callable[..., list[TraceEvent]]


def transcript(events: list[TraceEvent]) -> str:
    stored = [event for event in events if event.is_stored]
    return "\n".join(line.plain for line in transcript_lines(stored, 80))


def test_a_transcript_goes_from_the_problem_to_the_decision(make_events: MakeEvents) -> None:
    text = transcript(make_events(2))
    parts = [
        "What is 6 times 7?",
        "chain 1",
        "I multiply.",
        "print(6 * 7)",
        "→ 42",
        "✓ 42",
        "chain 2",
        "votes",
        "decision",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_a_chain_without_an_answer_says_why(make_events: MakeEvents) -> None:
    assert "– no tokens left" in transcript(make_events(1, answer=None))


def test_a_run_that_goes_on_is_shown_as_far_as_it_has_come(make_events: MakeEvents) -> None:
    assert "running" in transcript(make_events(1, is_finished=False))


def test_hostile_text_is_cleaned(make_events: MakeEvents) -> None:
    evil = "\x1b[2Jx\u202e"
    text = transcript(make_events(1, question=evil, prose=evil, code=evil, output=evil, answer=evil))
    assert "\x1b" not in text
    assert "\u202e" not in text
