"""Who works on a run: a claim in the trace store, renewed for as long as the work goes on."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from abaci.errors import RunInProgress, TraceStoreError
from abaci.traces.base import TraceStore

CLAIM_S = 10.0
"""How long a claim lasts without being renewed: others may then take the run over."""
RENEW_S = 3.0
POLL_S = 0.25
END_S = 0.5
"""How long letting go may take; the claim lapses by itself where that is not enough."""


class Hold:
    """One worker's claim to one run. Use as `async with`: the end of it lets go of the run.

    A new run needs no `take`: nobody else knows its id.
    """

    def __init__(self, store: TraceStore, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._holder = secrets.token_hex(8)
        self._claimed_at: float | None = None
        self.is_lost = False
        """Another worker has taken the run over: nothing more may be stored of it."""

    async def take(self, on_wait: Callable[[float], object] = lambda _: None) -> None:
        """Claim the run. A claim of another that nobody renews is waited for until it lapses, `CLAIM_S` at most.

        `on_wait` is told the seconds, if there are any to wait.

        Raises:
            RunInProgress: another worker renews its claim.
            TraceStoreError: the store failed.
        """
        left_s = await self._claim(CLAIM_S)
        if left_s > 0:
            on_wait(left_s)
        deadline = time.monotonic() + CLAIM_S + RENEW_S
        while left_s > 0:
            await asyncio.sleep(min(left_s, POLL_S))
            before_s, left_s = left_s, await self._claim(CLAIM_S)
            if left_s >= before_s or (left_s > 0 and time.monotonic() > deadline):
                raise RunInProgress(self._run_id)

    async def renew(self) -> bool:
        """Claim the run again where that is due; False where another has taken it over.

        Raises:
            TraceStoreError: the store failed; to be tried again.
        """
        # By the clock on the wall: it goes on while a machine sleeps.
        is_due = self._claimed_at is None or not 0 <= time.time() - self._claimed_at < RENEW_S
        if is_due and not self.is_lost:
            self.is_lost = await self._claim(CLAIM_S) > 0
        return not self.is_lost

    async def __aenter__(self) -> Self:
        """Nothing is claimed yet."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Let go of the run, if it is claimed."""
        if self._claimed_at is not None and not self.is_lost:
            with suppress(TraceStoreError, TimeoutError):
                async with asyncio.timeout(END_S):
                    await self._claim(0.0)

    async def _claim(self, for_s: float) -> float:
        asked_at = time.time()
        left_s = await self._store.claim(self._run_id, self._holder, for_s)
        if left_s <= 0:
            self._claimed_at = asked_at
        return left_s
