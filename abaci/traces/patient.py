"""A trace store that may be away, at the start too: that costs a run a warning, but no solution."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from itertools import islice
from typing import Self

from abaci.errors import TraceStoreError
from abaci.traces.base import TraceStore
from abaci.types import RunSummary, TraceEvent

MAX_LATE_EVENTS = 20_000
LATE_BATCH_EVENTS = 1024


class PatientTraceStore:
    """`store`, which every call tries to open where that has failed so far; its errors are passed on.

    Events that it did not take are kept, `MAX_LATE_EVENTS` of them at most, and sent again behind the next ones that
    it takes: whoever wrote them may have given up, because their run has ended.
    """

    def __init__(self, store: TraceStore) -> None:
        self._store = store
        self._stack: AsyncExitStack | None = None
        self._is_open = False
        self._opening = asyncio.Lock()
        self._late: dict[tuple[str, int], TraceEvent] = {}

    @property
    def location(self) -> str:
        """Where the events are; see the contract."""
        return self._store.location

    async def append(self, events: Sequence[TraceEvent]) -> None:
        """Store `events`; see the contract."""
        try:
            store = await self._opened()
            await store.append(events)
        except BaseException:
            self._keep(events)
            raise
        self._forget(events)
        if self._late:
            late = list(islice(self._late.values(), LATE_BATCH_EVENTS))
            # No concern of this call's: they stay for the next one.
            with suppress(TraceStoreError):
                await store.append(late)
                self._forget(late)

    async def read(self, run_id: str, after: int = -1) -> AsyncGenerator[TraceEvent, None]:
        """The events of a run in order; see the contract."""
        async with aclosing((await self._opened()).read(run_id, after)) as events:
            async for event in events:
                yield event

    async def runs(self, limit: int = 50, before: str | None = None) -> list[RunSummary]:
        """The newest runs; see the contract."""
        return await (await self._opened()).runs(limit, before)

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
        stack, self._stack, self._is_open = self._stack, None, False
        if stack is not None:
            await stack.aclose()

    def _keep(self, events: Sequence[TraceEvent]) -> None:
        for event in events:
            if event.is_stored and len(self._late) < MAX_LATE_EVENTS:
                self._late[event.run_id, event.seq] = event

    def _forget(self, events: Sequence[TraceEvent]) -> None:
        for event in events:
            self._late.pop((event.run_id, event.seq), None)

    async def _opened(self) -> TraceStore:
        async with self._opening:
            if self._stack is None:
                raise TraceStoreError(f"trace store {self.location} is not open: use it within `async with`")
            if not self._is_open:
                await self._stack.enter_async_context(self._store)
                self._is_open = True
        return self._store
