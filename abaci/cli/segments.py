"""A model's text cut at its code fences, and each piece as styled text for a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from rich.syntax import Syntax
from rich.text import Text

from abaci.cli.terminal import clean

FENCE: Final = "```"


class SegmentKind(StrEnum):
    """What a piece of text is."""

    PROSE = "prose"
    CODE = "code"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a chain's text, as the model wrote it: hostile until `styled`."""

    kind: SegmentKind
    text: str


def split_fences(text: str) -> list[Segment]:
    """`text` cut at lines that begin with three backticks; the fences themselves are left out, and empty pieces too.

    A last line that may yet become a fence is left out as well, so that a view of growing text does not flicker.
    """
    segments: list[Segment] = []
    lines: list[str] = []
    kind = SegmentKind.PROSE
    for line in text.splitlines(keepends=True):
        if line.startswith(FENCE):
            _close(segments, kind, lines)
            kind = _inside(line) if kind is SegmentKind.PROSE else SegmentKind.PROSE
            lines = []
        else:
            lines.append(line)
    if lines and lines[-1] and FENCE.startswith(lines[-1]):
        lines.pop()
    _close(segments, kind, lines)
    return segments


def is_in_fence(text: str) -> bool:
    """Whether the end of `text` stands inside a fence that is still open."""
    return sum(line.startswith(FENCE) for line in text.split("\n")) % 2 == 1


def styled(segment: Segment) -> Text:
    """`segment` cleaned, and coloured by what it is."""
    match segment.kind:
        case SegmentKind.CODE:
            # A copy: texts can be changed, and the one in the cache must not be.
            return _highlight(clean(segment.text)).copy()
        case SegmentKind.OUTPUT:
            return _indented(clean(segment.text))
        case SegmentKind.PROSE:
            return Text(clean(segment.text).strip("\n"))


def _inside(fence: str) -> SegmentKind:
    word = fence[len(FENCE) :].strip().lower()
    return SegmentKind.OUTPUT if word.startswith(("out", "text", "result", "console")) else SegmentKind.CODE


def _close(segments: list[Segment], kind: SegmentKind, lines: list[str]) -> None:
    text = "".join(lines)
    if text.strip():
        segments.append(Segment(kind, text))


@lru_cache(maxsize=256)
def _highlight(code: str) -> Text:
    # The terminal's own sixteen colours fit its background, whichever that is.
    highlighted = Syntax("", "python", theme="ansi_dark", background_color="default").highlight(code.strip("\n"))
    highlighted.rstrip()
    highlighted.no_wrap = False
    return highlighted


def _indented(output: str) -> Text:
    lines = output.strip("\n").split("\n")
    text = Text()
    for number, line in enumerate(lines):
        text.append("\n" if number else "")
        text.append("→ " if number == 0 else "  ", style="dim")
        text.append(line, style="cyan")
    return text
