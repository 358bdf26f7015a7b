from __future__ import annotations

import io
from collections.abc import Callable

from rich.console import Console

from abaci.cli.talk import LiveTalk, PlainTalk, choose_talk
from abaci.types import TraceEvent

MakeEvents = Callable[..., list[TraceEvent]]


async def told(events: list[TraceEvent]) -> list[str]:
    lines: list[str] = []
    async with PlainTalk(lines.append).watching() as watch:
        for event in events:
            watch(event)
    return [line.partition("] ")[2] for line in lines]


async def test_plain_lines_tell_what_each_chain_does(make_events: MakeEvents) -> None:
    assert await told(make_events(1)) == [
        "script: What is 6 times 7?",
        "chain 1: thinks: I multiply.",
        "chain 1: runs 1 line of Python",
        "chain 1: output: 42",
        "chain 1: answer 42 (answered)",
        "decided: 1 of 1 answered chains agree",
    ]


async def test_plain_lines_are_one_line_each_and_clean(make_events: MakeEvents) -> None:
    for line in await told(make_events(1, prose="a\nb\x1b[31mc" + "d" * 500)):
        assert "\n" not in line
        assert "\x1b" not in line
        assert len(line) <= 160


async def test_progress_is_told_by_stage_and_tenth() -> None:
    lines: list[str] = []
    async with PlainTalk(lines.append).working() as on_progress:
        on_progress("importing", None)
        for share in range(101):
            on_progress("loading", share / 100)
    assert 10 <= len(lines) <= 12
    assert lines[0].endswith("importing")


def test_plain_lines_are_chosen_where_standard_error_is_no_terminal() -> None:
    assert isinstance(choose_talk(), PlainTalk)


async def test_the_live_view_leaves_the_cursor_visible_when_it_fails(make_events: MakeEvents) -> None:
    stream = io.StringIO()
    talk = LiveTalk(Console(file=stream, force_terminal=True, width=80, height=24))
    try:
        async with talk.watching() as watch:
            watch(make_events(1)[0])
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    written = stream.getvalue()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


async def test_the_live_view_says_how_long_the_start_took() -> None:
    stream = io.StringIO()
    async with LiveTalk(Console(file=stream, force_terminal=True, width=80, height=24)).working("ready") as on_progress:
        on_progress("loading", 0.4)
    assert "ready in 0.0 s" in stream.getvalue()
