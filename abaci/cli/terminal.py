"""Text that is safe to print, and the consoles to print it on.

A model's text is hostile: it may hold escape sequences that rewrite the screen or the clipboard, characters that turn
the reading direction, or markup. It is cleaned here and printed as plain `Text`, never as markup.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from rich.console import Console

from abaci.cli.streams import drop_results

TAB_COLUMNS: Final = 4
MAX_WIDTH: Final = 100
"""Prose is set at most this wide, however wide the terminal is."""

_SEQUENCES: Final = re.compile(
    r"\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # operating system commands: titles, links, the clipboard
    r"|\x1b[PX^_][^\x1b\n]*(?:\x1b\\)?"  # device control strings and their kin
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # control sequences: colours, cursor
    r"|\x1b[ -/]*[0-~]?"  # the remaining escapes
)
_LINE_BREAKS: Final = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SUSPECT: Final = re.compile(r"[^\n -~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u03ff\u2190-\u22ff]")
"""Everything but line ends, ASCII, and ranges that hold harmless letters and mathematics only."""
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def clean(text: str) -> str:
    """`text` without anything that a terminal would act on; line ends stay, tabs become spaces.

    Escape sequences, control and format characters (direction marks among them), unassigned and private characters are
    dropped, and lone surrogates replaced.
    """
    text = _LINE_BREAKS.sub("\n", _SEQUENCES.sub("", text)).expandtabs(TAB_COLUMNS)
    return _SUSPECT.sub(_visible, text)


def one_line(text: str, limit: int | None = None) -> str:
    """`text` cleaned and on one line, cut to `limit` characters where it is longer."""
    line = " ".join(clean(text).split())
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


def count(number: int, noun: str) -> str:
    """`number` and `noun`, in the plural where that is meant."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _visible(match: re.Match[str]) -> str:
    character = match.group()
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    return "" if category in _INVISIBLE else character


class _Results(Console):
    def on_broken_pipe(self) -> None:
        """Go on without a reader: what `| head -1` has read is enough, and no failure."""
        drop_results()


def results_console() -> Console:
    """The console on standard output."""
    return _Results(highlight=False, markup=False, emoji=False)


def talk_console() -> Console:
    """The console on standard error."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)
