"""Stored runs that broke off, for tests of resuming them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from abaci.backend.base import GenerateRequest
from abaci.traces.memory import MemoryTraceStore
from abaci.types import TraceEvent

BOUND_S = 60.0


def chain_text(request: GenerateRequest, answers: str) -> str:
    """What chain *i* says to come to `answers[i]`."""
    seed = request.sampling.seed or 0
    return f"Way {seed} is steady.\nAll agree on it. It is $\\boxed{{{answers[seed]}}}$."


async def store_of(events: Sequence[TraceEvent]) -> MemoryTraceStore:
    """A store that holds `events`."""
    store = MemoryTraceStore()
    await store.append(events)
    return store


async def until_stored(store: MemoryTraceStore) -> None:
    """Wait until a run is stored."""
    for _ in range(1000):
        if await store.runs():
            return
        await asyncio.sleep(0.01)
    pytest.fail("nothing was stored")
