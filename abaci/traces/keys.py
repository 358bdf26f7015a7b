"""Every Redis key, in one place. `p` is the configured prefix, `abaci:` by default.

{p}run:{run_id}:events   hash     seq -> the event's JSON; lives ttl_s after the last event
{p}run:{run_id}:heads    hash     seq -> the JSON of an event that a summary is made of; lives as long
{p}run:{run_id}:holder   string   who works on the run; lives until that claim lapses
{p}runs                  zset     run ids, all of score 0: in the order of the ids, which is that of creation
{p}started               zset     run ids by the Unix time of their earliest event
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Keys:
    """The keys of one store."""

    prefix: str

    @property
    def runs(self) -> str:
        """Sorted set of all run ids, for listing."""
        return f"{self.prefix}runs"

    @property
    def started(self) -> str:
        """Sorted set of all run ids by start, Unix seconds, for expiry."""
        return f"{self.prefix}started"

    def events(self, run_id: str) -> str:
        """Hash of a run's events."""
        return f"{self.prefix}run:{run_id}:events"

    def heads(self, run_id: str) -> str:
        """Hash of the few events that a run's summary is made of."""
        return f"{self.prefix}run:{run_id}:heads"

    def holder(self, run_id: str) -> str:
        """Who works on a run."""
        return f"{self.prefix}run:{run_id}:holder"
