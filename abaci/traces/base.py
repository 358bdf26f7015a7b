"""The trace-store contract: an append-only log of `TraceEvent`s a run.

What every implementation promises:

* **Append is idempotent** on `(run_id, seq)`: sending an event again changes nothing, so a writer may retry.
  One call is one round trip or transaction, and is atomic.
* **Read is ordered** by `seq` and sees every event whose `append` has returned.
* **Listing** is newest first and costs the page, not the store.
* **A claim** to a run is one worker's at a time and lapses by itself. It is advice: `append` and `read` heed none.
* **Errors** are `TraceStoreError`s, `RunNotFound` for an unknown run. Events with `is_stored` false are ignored.
* Runs of several processes may share a store.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol, Self

from abaci.types import RunSummary, TraceEvent


class TraceStore(Protocol):
    """Keeps what happened."""

    @property
    def location(self) -> str:
        """Where the events are, for people; without credentials."""
        ...

    async def append(self, events: Sequence[TraceEvent]) -> None:
        """Store `events` (of any runs), ignoring those already stored.

        Raises:
            TraceStoreError: nothing of this call is stored; call again later with the same events.
        """
        ...

    def read(self, run_id: str, after: int = -1) -> AsyncGenerator[TraceEvent, None]:
        """The stored events of a run with `seq` greater than `after`, in order.

        Raises:
            RunNotFound: the store has no event of this run.
            TraceStoreError: the store failed.
        """
        ...

    async def runs(self, limit: int = 50, before: str | None = None) -> list[RunSummary]:
        """At most `limit` runs, newest first, older than the run id `before` where given."""
        ...

    async def claim(self, run_id: str, holder: str, for_s: float) -> float:
        """Make the run `holder`'s for the next `for_s` seconds, also where it is already; 0 lets go of it.

        Returns 0, or the seconds for which another holder's claim still lasts; nothing is then changed. The run need
        not be in the store. One call is atomic over all processes that share the store.

        Raises:
            TraceStoreError: the store failed.
        """
        ...

    async def expire(self, older_than_s: float) -> int:
        """Delete the runs that started more than `older_than_s` seconds ago; returns how many."""
        ...

    async def __aenter__(self) -> Self:
        """Open.

        Raises:
            TraceStoreError: it cannot be opened; says where and why.
        """
        ...

    async def __aexit__(self, *exc_info: object) -> None:
        """Close: what was appended is durable, nothing is left open."""
        ...
