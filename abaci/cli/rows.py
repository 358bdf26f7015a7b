"""What commands that read files of rows say about rows that cannot be used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from abaci.cli.streams import say
from abaci.cli.terminal import one_line
from abaci.evaluation.rows import MalformedRow

NO_ROWS: Final = "the file holds no row that can be used"


def name_malformed(rows: Iterable[MalformedRow]) -> None:
    """Name each of `rows` on standard error."""
    for row in rows:
        say(f"abaci: line {row.line}: {one_line(row.problem)}; the row is left out")
