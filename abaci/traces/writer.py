"""Carries events to the trace store in the background: a slow or broken store never slows or fails a run."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from contextlib import suppress
from itertools import islice
from typing import Self

from abaci.errors import TraceStoreError
from abaci.traces.base import TraceStore
from abaci.traces.hold import RENEW_S, Hold
from abaci.types import TraceEvent

BATCH_EVENTS = 256
FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 2.0
RENEWAL_TIMEOUT_S = 1.0
TAKEN_OVER = "another process has taken the run over"
LAST_TRY_S = 0.5
"""What the end of the `async with` allows the store at least, also when a flush has used up all patience before."""


class TraceWriter:
    """Sends events to a store in batches, in order, until the store has them.

    Within `async with`, `put` hands over an event and returns at once. A store that fails is tried again, with growing
    pauses of at most `MAX_BACKOFF_S`, for as long as the writer is open. Whatever is not stored is counted in
    `warnings`: nothing is lost silently.

    Args:
        store: an open store.
        hold: the claim to the one run whose events are written. It is renewed, also while there are none; when the run
            has been taken over, nothing more of it is sent.
        flush_interval_s: how long events gather before they are sent.
        max_pending: how many events may wait. Above it, a run's further events are refused: what is stored of the run
            stays a beginning without holes.
        patience_s: how long `flush` and the end of the `async with` wait for a slow store, in seconds and together.
        failing_patience_s: how long each of them waits for a store that refuses what it is sent. Less, because it has
            been tried again and again for as long as the run took.
    """

    def __init__(
        self,
        store: TraceStore,
        hold: Hold | None = None,
        *,
        flush_interval_s: float = 0.2,
        max_pending: int = 20_000,
        patience_s: float = 3.0,
        failing_patience_s: float = 0.4,
    ) -> None:
        self._store = store
        self._hold = hold
        self._flush_interval_s = flush_interval_s
        self._max_pending = max_pending
        self._patience_s = patience_s
        self._failing_patience_s = failing_patience_s
        self._pending: deque[TraceEvent] = deque()
        self._refused: Counter[str] = Counter()
        self._refusal: str | None = None
        self._failure: str | None = None
        self._is_closed = False
        self._has_work = asyncio.Event()
        self._is_done = asyncio.Event()
        self._is_hurried = asyncio.Event()
        self._hurried_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def put(self, event: TraceEvent) -> None:
        """Hand over `event`; streamed-only events are passed over. Never waits and never raises."""
        if not event.is_stored:
            return
        if self._is_closed:
            self._refuse(event, "the run had ended")
        elif self._hold is not None and self._hold.is_lost:
            self._refuse(event, TAKEN_OVER)
        elif event.run_id in self._refused or len(self._pending) >= self._max_pending:
            self._refuse(event, f"{self._max_pending} events were waiting already")
        else:
            self._pending.append(event)
            self._is_done.clear()
            self._has_work.set()

    async def flush(self) -> None:
        """Send what is pending now; returns when it is stored, or when the patience has run out. Never raises."""
        if not self._pending or self._task is None:
            return
        self._is_done.clear()
        self._hurry()
        try:
            async with asyncio.timeout(max(0.0, self._patience_s)):
                await self._is_done.wait()
        except TimeoutError:
            self._failure = self._failure or "the store is too slow"
        finally:
            self._patience_s -= time.monotonic() - self._hurried_at
            self._is_hurried.clear()

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each run of which events are not stored, as things stand; final once the writer is closed.

        While it is open, events that wait for their turn count only when the store is failing.
        """
        lost = Counter(self._refused)
        if self._is_closed or self._failure is not None:
            lost.update(event.run_id for event in self._pending)
        causes = "; ".join(cause for cause in (self._failure, self._refusal) if cause is not None)
        return tuple(
            f"{count} events of run {run_id} are not in the trace store {self._store.location}: {causes}"
            for run_id, count in lost.items()
        )

    async def __aenter__(self) -> Self:
        """Start sending."""
        self._task = asyncio.create_task(self._send_all(), name="trace writer")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Send what is left, as far as patience reaches, and stop. A failing store is a warning, not an error."""
        self._patience_s = max(self._patience_s, LAST_TRY_S)
        task, self._task = self._task, None
        if task is None:
            return
        try:
            self._is_closed = True
            self._hurry()
            self._has_work.set()
            await asyncio.wait({task}, timeout=self._patience_s)
        finally:
            if not task.done():
                self._failure = self._failure or "the store is too slow"
                task.cancel()
                await asyncio.wait({task})
        if not task.cancelled():
            # Only a defect ends the task with an error: the store's own failures are data here.
            task.result()

    def _refuse(self, event: TraceEvent, cause: str) -> None:
        self._refused[event.run_id] += 1
        self._refusal = cause

    def _hurry(self) -> None:
        self._hurried_at = time.monotonic()
        self._is_hurried.set()

    async def _send_all(self) -> None:
        """Send until the writer is closed and nothing is left, or nothing more is to be hoped for."""
        while True:
            await self._wait_for_work()
            if len(self._pending) < BATCH_EVENTS:
                await self._pause(self._flush_interval_s)
            while self._pending and await self._send_batch():
                pass
            if not self._pending:
                self._has_work.clear()
            self._is_done.set()
            if self._is_closed:
                return

    async def _wait_for_work(self) -> None:
        """Wait for events; the claim is renewed meanwhile."""
        while not self._has_work.is_set():
            try:
                async with asyncio.timeout(None if self._hold is None else RENEW_S):
                    await self._has_work.wait()
            except TimeoutError:
                await self._renew()

    async def _renew(self) -> None:
        """Renew the claim, if it is due; where the run has been taken over, give up what is pending.

        A store that fails is no hindrance: it is tried again when events are sent.
        """
        if self._hold is None:
            return
        with suppress(TraceStoreError, TimeoutError):
            async with asyncio.timeout(RENEWAL_TIMEOUT_S):
                await self._hold.renew()
        while self._hold.is_lost and self._pending:
            self._refuse(self._pending.popleft(), TAKEN_OVER)

    async def _send_batch(self) -> bool:
        """Send the oldest events until the store takes them; False when whoever waits for that has waited enough."""
        backoff_s = FIRST_BACKOFF_S
        while True:
            # Nobody else will send the rest when this is closed; a store that keeps what it could not take must see it.
            most = len(self._pending) if self._is_closed and self._failure else BATCH_EVENTS
            try:
                await self._renew()
                batch = list(islice(self._pending, most))
                await self._store.append(batch)
            except TraceStoreError as error:
                self._failure = str(error)
            else:
                self._failure = None
                for _ in batch:
                    self._pending.popleft()
                return True
            if self._is_hurried.is_set():
                await asyncio.sleep(FIRST_BACKOFF_S)
                if time.monotonic() - self._hurried_at >= self._failing_patience_s:
                    return False
            else:
                await self._pause(backoff_s)
                backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)

    async def _pause(self, pause_s: float) -> None:
        """Wait `pause_s`, or less when someone waits for the events."""
        try:
            async with asyncio.timeout(pause_s):
                await self._is_hurried.wait()
        except TimeoutError:
            return
