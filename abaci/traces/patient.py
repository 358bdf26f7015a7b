"""A trace store that may be away, at the start too: that costs a run a warning, but no solution."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from itertools import islice
from typing import Self

from abaci.errors import RunNotFound, TraceStoreError
from abaci.traces.base import TraceStore
from abaci.traces.summary import by_run
from abaci.types import RunSummary, TraceEvent

MAX_LATE_EVENTS = 20_000
LATE_BATCH_EVENTS = 1024


class PatientTraceStore:
    """`store`, which every call tries to open where that has failed so far; its errors are passed on.

    Events that it did not take are kept, `MAX_LATE_EVENTS` of them at most, and sent again: before a run is read or
    written to, those of this run, so that nothing takes their place; the others behind the next events that the store
    takes. Whoever wrote them may have given up, because their run has ended. Where another process has resumed it
    meanwhile, they are dropped: two continuations would mix.
    """

    def __init__(self, store: TraceStore) -> None:
        self._store = store
        self._stack: AsyncExitStack | None = None
        self._is_open = False
        self._opening = asyncio.Lock()
        self._failure: TraceStoreError | None = None
        """Why it could not be opened the last time."""
        self._late: dict[tuple[str, int], TraceEvent] = {}

    @property
    def location(self) -> str:
        """Where the events are; see the contract."""
        return self._store.location

    async def append(self, events: Sequence[TraceEvent]) -> None:
        """Store `events`; see the contract."""
        due = self._with_late(events)
        try:
            store = await self._opened()
            await store.append(due)
        except BaseException:
            self._keep(due)
            raise
        self._forget(due)
        await self._send(list(islice(self._late.values(), LATE_BATCH_EVENTS)))

    async def read(self, run_id: str, after: int = -1) -> AsyncGenerator[TraceEvent, None]:
        """The events of a run in order; see the contract."""
        store = await self._opened()
        await self._send([event for event in self._late.values() if event.run_id == run_id])
        async with aclosing(store.read(run_id, after)) as events:
            async for event in events:
                yield event

    async def runs(self, limit: int = 50, before: str | None = None) -> list[RunSummary]:
        """The newest runs; see the contract."""
        return await (await self._opened()).runs(limit, before)

    async def claim(self, run_id: str, holder: str, for_s: float) -> float:
        """Make the run `holder`'s; see the contract."""
        return await (await self._opened()).claim(run_id, holder, for_s)

    async def expire(self, older_than_s: float) -> int:
        """Delete old runs; see the contract."""
        return await (await self._opened()).expire(older_than_s)

    async def __aenter__(self) -> Self:
        """Open the store if that can be done now. Never raises a `TraceStoreError`."""
        self._stack = AsyncExitStack()
        with suppress(TraceStoreError):
            await self._opened()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close it, if it was opened; see the contract."""
        async with self._opening:
            stack, self._stack, self._is_open = self._stack, None, False
        if stack is not None:
            await stack.aclose()

    def _with_late(self, events: Sequence[TraceEvent]) -> list[TraceEvent]:
        """`events` and the late ones of their runs; of two that claim one place, the first that came, as in a store."""
        runs = {event.run_id for event in events}
        due = {place: event for place, event in self._late.items() if event.run_id in runs}
        for event in events:
            if event.is_stored:
                due.setdefault((event.run_id, event.seq), event)
        return list(due.values())

    async def _send(self, late: Sequence[TraceEvent]) -> None:
        """Send `late` again. That the store does not take them is no concern of this call's: they stay."""
        for run in by_run(late).values():
            with suppress(TraceStoreError):
                if not await self._is_continued(run):
                    await self._store.append(run)
                self._forget(run)

    async def _is_continued(self, late: Sequence[TraceEvent]) -> bool:
        """Whether the store has others in place of `late`, events of one run: another process has resumed the run."""
        times = {event.seq: event.at for event in late}
        try:
            async with aclosing(self._store.read(late[0].run_id, min(times) - 1)) as events:
                async for event in events:
                    if times.get(event.seq, event.at) != event.at:
                        return True
        except RunNotFound:
            pass
        return False

    def _keep(self, events: Sequence[TraceEvent]) -> None:
        for event in events:
            if len(self._late) < MAX_LATE_EVENTS:
                self._late.setdefault((event.run_id, event.seq), event)

    def _forget(self, events: Sequence[TraceEvent]) -> None:
        for event in events:
            self._late.pop((event.run_id, event.seq), None)

    async def _opened(self) -> TraceStore:
        known = self._failure
        async with self._opening:
            if self._stack is None:
                raise TraceStoreError(f"trace store {self.location} is not open: use it within `async with`")
            if not self._is_open:
                if self._failure is not None and self._failure is not known:
                    # It was tried while this call waited: each trying for itself, many would wait for very long.
                    raise TraceStoreError(str(self._failure)) from self._failure
                await self._open(self._stack)
        return self._store

    async def _open(self, stack: AsyncExitStack) -> None:
        try:
            await stack.enter_async_context(self._store)
        except TraceStoreError as failure:
            self._failure = failure
            raise
        self._is_open = True
