"""What the chains of one run share: the deadline, the token budget, and the switch that stops them all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from abaci.types import Budget, StopReason


class ChainInterrupted(Exception):
    """A chain was stopped from outside; `reason` is `cancelled` or `wall_time`."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class RunScope:
    """Bounds all chains of a run. Must be created in the running event loop: the clock starts then."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._deadline = asyncio.get_running_loop().time() + budget.wall_s
        self._tokens_left = budget.tokens
        self._timers: set[asyncio.Timeout] = set()
        self._is_settled = False

    @property
    def is_spent(self) -> bool:
        """True once the token budget is used up."""
        return self._tokens_left is not None and self._tokens_left <= 0

    @property
    def is_over(self) -> bool:
        """True once the deadline has passed."""
        return asyncio.get_running_loop().time() >= self._deadline

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline; negative once it has passed."""
        return self._deadline - asyncio.get_running_loop().time()

    def spend(self, tokens: int) -> None:
        """Take `tokens` (generated, or shown by a tool) from the budget."""
        if self._tokens_left is not None:
            self._tokens_left -= tokens

    def settle(self) -> None:
        """Stop every running chain, and every one that is waiting to start: the vote is decided."""
        self._is_settled = True
        now = asyncio.get_running_loop().time()
        for timer in self._timers:
            if not timer.expired():
                timer.reschedule(now)

    def reopen(self) -> None:
        """Let chains start again: the aggregator wants more of them."""
        self._is_settled = False

    @asynccontextmanager
    async def chain(self) -> AsyncIterator[None]:
        """Bounds one chain.

        Raises:
            ChainInterrupted: the run was settled, or its deadline passed, before or while the body ran.
        """
        if self._is_settled:
            raise ChainInterrupted(StopReason.CANCELLED)
        timer = asyncio.timeout_at(self._deadline)
        try:
            async with timer:
                self._timers.add(timer)
                yield
        except TimeoutError as error:
            if not timer.expired():
                raise
            raise ChainInterrupted(StopReason.CANCELLED if self._is_settled else StopReason.WALL_TIME) from error
        finally:
            self._timers.discard(timer)
