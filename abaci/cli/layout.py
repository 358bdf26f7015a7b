"""Where things go on the screen: how much room the chains get, and in which form they fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

CARD_MIN_WIDTH: Final = 38
CARD_MIN_HEIGHT: Final = 6
CARD_GOOD_HEIGHT: Final = 12
CARD_MAX_HEIGHT: Final = 22
"""Including its border; a taller one is mostly empty."""
ROW_MIN_WIDTH: Final = 56
CELL_WIDTH: Final = 19
MAX_VOTE_ROWS: Final = 5
CHROME_ROWS: Final = 6
"""The question, a blank line above and below the chains and below the votes, the status line, and the cursor's."""


class Form(StrEnum):
    """How a chain is shown: a card with the tail of its text, one row, or a small cell."""

    CARD = "card"
    ROW = "row"
    CELL = "cell"


@dataclass(frozen=True, slots=True)
class Layout:
    """A grid for the chains, and the rows kept for votes. Widths are columns, heights lines of the terminal."""

    form: Form
    columns: int
    rows: int
    cell_width: int
    cell_height: int
    vote_rows: int

    @property
    def capacity(self) -> int:
        """Chains that fit."""
        return self.columns * self.rows


def choose_layout(width: int, height: int, chains: int) -> Layout:
    """The richest form in which `chains` chains fit into a terminal of `width` × `height`; cells where none does."""
    vote_rows = max(1, min(MAX_VOTE_ROWS, height // 8))
    room = max(1, height - CHROME_ROWS - vote_rows)
    count = max(1, chains)
    return (
        _cards(width, room, count, vote_rows) or _rows(width, room, count, vote_rows) or _cells(width, room, vote_rows)
    )


def _cards(width: int, room: int, count: int, vote_rows: int) -> Layout | None:
    """The fewest columns that give every card a comfortable height; else those that give it the greatest."""
    best: Layout | None = None
    for columns in range(1, min(count, width // CARD_MIN_WIDTH) + 1):
        rows = math.ceil(count / columns)
        height = min(room // rows, CARD_MAX_HEIGHT)
        if height >= CARD_MIN_HEIGHT and (best is None or height > best.cell_height):
            best = Layout(Form.CARD, columns, rows, width // columns, height, vote_rows)
        if best is not None and best.cell_height >= CARD_GOOD_HEIGHT:
            break
    return best


def _rows(width: int, room: int, count: int, vote_rows: int) -> Layout | None:
    columns = 1 if count <= room else 2
    if count > columns * room or width // columns < ROW_MIN_WIDTH:
        return None
    return Layout(Form.ROW, columns, math.ceil(count / columns), width // columns, 1, vote_rows)


def _cells(width: int, room: int, vote_rows: int) -> Layout:
    columns = max(1, width // CELL_WIDTH)
    # One line is for "and 12 more", where they do not all fit.
    return Layout(Form.CELL, columns, room, width // columns, 1, vote_rows)
