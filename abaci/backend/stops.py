"""Finding stop strings in text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class FoundStop(NamedTuple):
    """The stop string that matched, and the offset just behind it."""

    stop: str
    end: int


def find_stop(text: str, stops: Sequence[str]) -> FoundStop | None:
    """The stop string that is complete first in `text`, the longest where several end together; None: there is none."""
    ends = [(start + len(stop), -len(stop), stop) for stop in stops if stop and (start := text.find(stop)) >= 0]
    if not ends:
        return None
    end, _, stop = min(ends)
    return FoundStop(stop, end)
