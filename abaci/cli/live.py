"""The live view of a run: every chain at work, and the votes as they come in."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rich.box import ROUNDED
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from abaci.cli.layout import Form, Layout, choose_layout
from abaci.cli.progress import STOP_WORDS, ChainProgress, Phase, RunProgress
from abaci.cli.segments import styled
from abaci.cli.terminal import count, one_line
from abaci.cli.votes import vote_bars

GLYPHS: Final = {
    Phase.WAITING: ("·", "dim default"),
    Phase.THINKING: ("✎", "default"),
    Phase.CODING: ("λ", "blue"),
    Phase.RUNNING: ("▶", "yellow"),
    Phase.READING: ("→", "cyan"),
    Phase.ANSWERED: ("✓", "green"),
    Phase.STOPPED: ("–", "dim default"),
}
"""A sign and a colour for each phase."""

CHARS_PER_LINE_READ: Final = 4
"""Of a long text, this many screens' width is looked at for each line shown; wrapping all of it would be wasted."""


@dataclass
class LiveView:
    """Renders `progress` for the console's size at the time. `clock` gives seconds."""

    progress: RunProgress
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._started = self.clock()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The whole view, at most as high as the terminal."""
        progress = self.progress
        width, height = options.max_width, console.size.height
        layout = choose_layout(width, height, progress.planned)
        yield Text.assemble(("? ", "bold cyan"), one_line(progress.question, width - 3))
        yield Text()
        yield from self._chains(console, layout)
        yield Text()
        yield from vote_bars(progress, width, layout.vote_rows)
        yield Text()
        yield self._status(width)

    def _chains(self, console: Console, layout: Layout) -> list[RenderableType]:
        draw = {Form.CARD: _card, Form.ROW: _row, Form.CELL: _cell}[layout.form]
        chains = [self.progress.chains.get(number, ChainProgress(number)) for number in range(self.progress.planned)]
        shown = chains[: layout.capacity]
        if len(chains) > len(shown):
            shown = _most_telling(chains, layout.capacity - layout.columns)
        grid = Table.grid(expand=True)
        for _ in range(layout.columns):
            grid.add_column(width=layout.cell_width)
        for start in range(0, len(shown), layout.columns):
            grid.add_row(*(draw(console, chain, layout) for chain in shown[start : start + layout.columns]))
        drawn: list[RenderableType] = [grid]
        if len(chains) > len(shown):
            drawn.append(Text(f"and {len(chains) - len(shown)} more", style="dim"))
        return drawn

    def _status(self, width: int) -> Text:
        progress = self.progress
        parts = [
            f"{self.clock() - self._started:5.1f} s",
            f"{progress.ended} of {progress.planned} chains ended",
            count(progress.programs, "program"),
            f"{progress.characters:,} characters",
            "Ctrl-C stops",
        ]
        return Text(one_line(" · ".join(parts), width - 1), style="dim")


def _card(console: Console, chain: ChainProgress, layout: Layout) -> RenderableType:
    glyph, colour = GLYPHS[chain.phase]
    name = (f"chain {chain.chain + 1}", "bold default")
    title = Text.assemble((f"{glyph} ", colour), name, (f" · {_state(chain)}", colour))
    title.truncate(layout.cell_width - 6, overflow="ellipsis")
    return Panel(
        Group(*_tail(console, chain, layout.cell_width - 4, layout.cell_height - 2)),
        title=title,
        title_align="left",
        subtitle=_verdict(chain, layout.cell_width - 6),
        subtitle_align="right",
        box=ROUNDED,
        border_style="green" if chain.phase is Phase.ANSWERED else "bright_black",
        height=layout.cell_height,
        padding=(0, 1),
    )


def _row(console: Console, chain: ChainProgress, layout: Layout) -> RenderableType:
    glyph, colour = GLYPHS[chain.phase]
    line = Text.assemble((f"{chain.chain + 1:>3} ", "dim"), (f"{glyph} {_state(chain):<11.11} ", colour))
    room = max(1, layout.cell_width - line.cell_len - 1)
    if chain.is_running:
        segments = chain.segments
        newest = styled(segments[-1]).plain if segments else ""
        line.append(one_line(newest[-4 * room :])[-room:], style="dim")
    else:
        line.append_text(_verdict(chain, room) or Text())
    line.truncate(layout.cell_width - 1, overflow="ellipsis")
    return line


def _cell(console: Console, chain: ChainProgress, layout: Layout) -> RenderableType:
    glyph, colour = GLYPHS[chain.phase]
    what = one_line(chain.answer, 40) if chain.answer is not None else _state(chain)
    line = Text.assemble((f"{chain.chain + 1:>4} ", "dim"), (f"{glyph} {what}", colour))
    line.truncate(layout.cell_width - 1, overflow="ellipsis")
    return line


def _state(chain: ChainProgress) -> str:
    """The phase in a word, with the round where there has been one."""
    if chain.stop_reason is not None:
        return "answer" if chain.answer is not None else chain.stop_reason.value.replace("_", " ")
    return f"{chain.phase.value} {chain.round + 1}" if chain.round else chain.phase.value


def _verdict(chain: ChainProgress, width: int) -> Text | None:
    """What the chain came to, once it has ended."""
    if chain.answer is not None:
        return Text(one_line(chain.answer, width), style="bold green")
    if chain.error is not None:
        return Text(one_line(chain.error, width), style="red")
    return Text(STOP_WORDS[chain.stop_reason], style="dim") if chain.stop_reason is not None else None


def _tail(console: Console, chain: ChainProgress, width: int, height: int) -> list[Text]:
    """The last `height` lines of the chain, wrapped to `width`."""
    lines: list[Text] = []
    for segment in reversed(chain.segments):
        if len(lines) >= height:
            break
        text = styled(segment)
        if not chain.is_running:
            text.stylize("dim")
        newest = text[-(width * height * CHARS_PER_LINE_READ) :] if len(text) > width * height * 4 else text
        lines[:0] = newest.wrap(console, max(1, width))
    return lines[-height:] if height > 0 else []


def _most_telling(chains: list[ChainProgress], room: int) -> list[ChainProgress]:
    """The `room` chains most worth showing, in their order: those at work first, then those with an answer."""
    order = {Phase.WAITING: 2, Phase.STOPPED: 3, Phase.ANSWERED: 1}
    ranked = sorted(chains, key=lambda chain: (order.get(chain.phase, 0), chain.chain))
    return sorted(ranked[: max(0, room)], key=lambda chain: chain.chain)
