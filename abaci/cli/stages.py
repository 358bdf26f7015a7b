"""Slow work stage by stage, such as the start of an engine: what is being done, how far it is, how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from abaci.cli.terminal import one_line

SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
SPIN_PER_S: Final = 8
BAR_WIDTH: Final = 24


@dataclass
class StageView:
    """Renders stages; the finished ones with the time they took. `clock` gives seconds."""

    clock: Callable[[], float] = time.monotonic
    _done: list[tuple[str, float]] = field(default_factory=list)
    _stage: str | None = None
    _share: float | None = None

    def __post_init__(self) -> None:
        self._began = self._stage_began = self.clock()

    def advance(self, stage: str, share: float | None) -> None:
        """The work has come to `stage`, of which `share` is done where that is known."""
        if stage != self._stage:
            now = self.clock()
            if self._stage is not None:
                self._done.append((self._stage, now - self._stage_began))
            self._stage, self._stage_began = stage, now
        self._share = share

    def summary(self, done: str) -> Text:
        """One line about the whole work."""
        return Text(f"{done} in {self.clock() - self._began:.1f} s", style="dim")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The stages, oldest first, as many as fit."""
        room = max(0, console.size.height - 2)
        for stage, seconds in self._done[-room:] if room else []:
            yield Text.assemble(("✓ ", "green"), (f"{seconds:5.1f} s  ", "dim"), (one_line(stage, 60), "dim"))
        if self._stage is None:
            return
        elapsed = self.clock() - self._stage_began
        spin = SPINNER[int(self.clock() * SPIN_PER_S) % len(SPINNER)]
        line = Text.assemble((f"{spin} ", "cyan"), (f"{elapsed:5.1f} s  ", "dim"), one_line(self._stage, 60))
        if self._share is not None and self._share < 1.0:
            full = round(BAR_WIDTH * max(0.0, self._share))
            line.append("  " + "━" * full, style="cyan")
            line.append("━" * (BAR_WIDTH - full), style="bright_black")
            line.append(f" {self._share:.0%}", style="dim")
        yield line
