from __future__ import annotations

from collections.abc import Callable

import pytest

from abaci.cli.live import LiveView
from abaci.cli.progress import RunProgress
from abaci.types import TraceEvent

MakeEvents = Callable[..., list[TraceEvent]]
Render = Callable[..., str]


def view_of(events: list[TraceEvent]) -> LiveView:
    progress = RunProgress()
    for event in events:
        progress.add(event)
    return LiveView(progress, clock=lambda: 0.0)


@pytest.mark.parametrize("chains", [1, 2, 4, 8, 16, 64])
@pytest.mark.parametrize(("width", "height"), [(40, 10), (80, 24), (120, 40), (200, 60)])
def test_the_view_fits_the_terminal(
    make_events: MakeEvents, render: Render, chains: int, width: int, height: int
) -> None:
    long = "a long thought " * 200
    lines = render(view_of(make_events(chains, prose=long, output="9" * 3000)), width, height).splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= width


def test_a_view_without_any_event_can_be_drawn(render: Render) -> None:
    assert "no votes yet" in render(LiveView(RunProgress()))


def test_cards_show_question_program_output_and_answer(make_events: MakeEvents, render: Render) -> None:
    shown = render(view_of(make_events(2)))
    for part in ("What is 6 times 7?", "I multiply.", "print(6 * 7)", "→ 42", "chain 2", "answer"):
        assert part in shown


def test_the_newest_text_of_a_chain_is_shown(make_events: MakeEvents, render: Render) -> None:
    code = "\n".join(f"line_{number} = {number}" for number in range(200))
    events = [event for event in make_events(1, code=code) if event.body.kind in {"run_started", "text_delta"}]
    shown = render(view_of(events))
    assert "line_199" in shown
    assert "line_100 " not in shown


def test_votes_are_bars_with_their_share(make_events: MakeEvents, render: Render) -> None:
    shown = render(view_of(make_events(3)))
    assert "█" in shown
    assert "3 · 100%" in shown


def test_hostile_text_neither_acts_on_the_terminal_nor_is_read_as_markup(
    make_events: MakeEvents, render: Render
) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J[red]x[/red]\u202e"
    shown = render(view_of(make_events(2, question=evil, prose=evil, code=evil, output=evil, answer=evil)))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "owned" not in shown
    assert "[red]x[/red]" in shown


def test_chains_that_do_not_fit_are_counted(make_events: MakeEvents, render: Render) -> None:
    assert "more" in render(view_of(make_events(64)), 40, 12)
