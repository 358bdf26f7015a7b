"""Traces in this process's memory: for tests, and for services that want no history."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from typing import Self

from abaci.errors import RunNotFound
from abaci.traces.config import MemoryTraceConfig
from abaci.traces.summary import by_run, fold_summary
from abaci.types import RunSummary, TraceEvent


class MemoryTraceStore:
    """A trace store that forgets: the oldest runs beyond `max_runs`, and everything when the process ends."""

    def __init__(self, config: MemoryTraceConfig | None = None) -> None:
        self._config = config or MemoryTraceConfig()
        self._runs: dict[str, dict[int, TraceEvent]] = {}
        self._claims: dict[str, tuple[str, float]] = {}
        """The holder of a run, and the Unix time at which its claim lapses."""

    @property
    def location(self) -> str:
        """For people."""
        return "memory"

    async def append(self, events: Sequence[TraceEvent]) -> None:
        """Store `events`; see the contract."""
        for run_id, batch in by_run(events).items():
            run = self._runs.setdefault(run_id, {})
            for event in batch:
                run.setdefault(event.seq, event)
        if len(self._runs) > self._config.max_runs:
            for run_id in sorted(self._runs)[: -self._config.max_runs]:
                del self._runs[run_id]

    async def read(self, run_id: str, after: int = -1) -> AsyncGenerator[TraceEvent, None]:
        """The events of a run in order; see the contract."""
        run = self._runs.get(run_id)
        if run is None:
            raise RunNotFound(run_id)
        for seq in sorted(run):
            if seq > after:
                yield run[seq]

    async def runs(self, limit: int = 50, before: str | None = None) -> list[RunSummary]:
        """The newest runs; see the contract."""
        ids = sorted((run_id for run_id in self._runs if before is None or run_id < before), reverse=True)
        return [self._summary(run_id) for run_id in ids[: max(0, limit)]]

    async def claim(self, run_id: str, holder: str, for_s: float) -> float:
        """Make the run `holder`'s; see the contract."""
        now = time.time()
        self._claims = {run: (who, until) for run, (who, until) in self._claims.items() if until > now}
        who, until = self._claims.get(run_id, (holder, now))
        if who != holder:
            return until - now
        self._claims[run_id] = (holder, now + for_s)
        return 0.0

    async def expire(self, older_than_s: float) -> int:
        """Delete old runs; see the contract."""
        oldest = time.time() - older_than_s
        old = [run_id for run_id, run in self._runs.items() if _started_at(run) < oldest]
        for run_id in old:
            del self._runs[run_id]
        return len(old)

    async def __aenter__(self) -> Self:
        """Nothing to open."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Nothing to close: the runs stay readable for as long as this object lives."""

    def _summary(self, run_id: str) -> RunSummary:
        run = self._runs[run_id]
        return fold_summary(run_id, _started_at(run), [run[seq] for seq in sorted(run)])


def _started_at(run: dict[int, TraceEvent]) -> float:
    return min(event.at for event in run.values())
