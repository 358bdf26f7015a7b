"""How many spare sessions to keep ready: more while they run out, fewer again when nobody misses one."""

from __future__ import annotations

CALM_S = 5.0
"""How long no spare must have been missed, in seconds, before their number is halved."""


class SpareTarget:
    """A number between `least` and `most`: doubled at each miss, halved after each calm while.

    Args:
        least: spares kept when idle; with 0 there are never any.
        most: spares kept at the most.
        now_s: the time, by a clock that never goes back.
    """

    def __init__(self, least: int, most: int, now_s: float) -> None:
        self._least = least
        self._most = max(least, most) if least else 0
        self._value = least
        self._changed_s = now_s

    def missed(self, now_s: float) -> None:
        """A session was asked for when no spare was ready."""
        self._value = min(self._most, self._value * 2)
        self._changed_s = now_s

    def at(self, now_s: float) -> int:
        """The number of spares to keep now."""
        while self._value > self._least and now_s - self._changed_s >= CALM_S:
            self._value = max(self._least, self._value // 2)
            self._changed_s += CALM_S
        return self._value

    @property
    def is_raised(self) -> bool:
        """Whether it will fall by itself."""
        return self._value > self._least
