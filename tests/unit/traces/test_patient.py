"""A store that comes late, or goes away for longer than a run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

import pytest

from abaci.errors import TraceStoreError
from abaci.traces import patient
from abaci.traces.memory import MemoryTraceStore
from abaci.traces.patient import PatientTraceStore
from abaci.traces.writer import BATCH_EVENTS, TraceWriter
from abaci.types import Problem, Rationale, RunResumed, RunStarted, StepTaken, TraceEvent


class FlakyStore(MemoryTraceStore):
    """Cannot be opened nor written to while `is_down`; never takes the run `poison`."""

    def __init__(self, *, is_down: bool = False, poison: str | None = None) -> None:
        super().__init__()
        self.is_down = is_down
        self.poison = poison

    async def append(self, events: Sequence[TraceEvent]) -> None:
        if self.is_down or any(event.run_id == self.poison for event in events):
            raise TraceStoreError("no such server")
        await super().append(events)

    async def __aenter__(self) -> Self:
        if self.is_down:
            raise TraceStoreError("cannot be opened")
        return await super().__aenter__()


def run_id(number: int) -> str:
    return f"run_{number:024x}"


def events_of(number: int, steps: int = 2) -> list[TraceEvent]:
    start = RunStarted(problem=Problem(question="1 + 1?"), model="tiny")
    bodies = [start, *(StepTaken(chain=0, round=0, step=Rationale(text="t")) for _ in range(steps))]
    return [TraceEvent(run_id=run_id(number), seq=seq, at=1.0, body=body) for seq, body in enumerate(bodies)]


async def stored(store: MemoryTraceStore, number: int) -> list[TraceEvent]:
    return [event async for event in store.read(run_id(number))]


async def test_a_store_that_comes_late_is_opened_by_the_first_call_that_can() -> None:
    inner = FlakyStore(is_down=True)
    async with PatientTraceStore(inner) as store:
        with pytest.raises(TraceStoreError, match="cannot be opened"):
            await store.runs()
        inner.is_down = False
        assert await store.runs() == []


async def test_a_run_that_ended_during_an_outage_is_stored_with_the_next_one() -> None:
    inner = FlakyStore()
    lost = events_of(1, steps=2 * BATCH_EVENTS)
    async with PatientTraceStore(inner) as store:
        inner.is_down = True
        async with TraceWriter(store) as writer:
            for event in lost:
                writer.put(event)
        assert len(writer.warnings) == 1
        inner.is_down = False
        await store.append(events_of(2))
    assert await stored(inner, 1) == lost
    assert await stored(inner, 2) == events_of(2)


async def test_events_that_are_never_taken_hold_up_no_others() -> None:
    inner = FlakyStore(poison=run_id(1))
    async with PatientTraceStore(inner) as store:
        with pytest.raises(TraceStoreError):
            await store.append(events_of(1))
        await store.append(events_of(2))
    assert await stored(inner, 2) == events_of(2)


async def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient, "MAX_LATE_EVENTS", 3)
    inner = FlakyStore(is_down=True)
    async with PatientTraceStore(inner) as store:
        for number in (1, 2):
            with pytest.raises(TraceStoreError):
                await store.append(events_of(number))
        inner.is_down = False
        await store.append(events_of(3))
    assert [run.run_id for run in await inner.runs()] == [run_id(3), run_id(1)]


async def test_a_run_that_ended_during_an_outage_is_whole_when_it_is_read() -> None:
    inner = FlakyStore()
    events = events_of(1, steps=5)
    async with PatientTraceStore(inner) as store:
        await store.append(events[:2])
        inner.is_down = True
        with pytest.raises(TraceStoreError):
            await store.append(events[2:])
        assert [event async for event in store.read(run_id(1))] == events[:2]
        inner.is_down = False
        assert [event async for event in store.read(run_id(1))] == events


async def test_nothing_takes_the_place_of_an_event_that_is_late() -> None:
    inner = FlakyStore()
    events = events_of(1, steps=5)
    async with PatientTraceStore(inner) as store:
        await store.append(events[:2])
        inner.is_down = True
        with pytest.raises(TraceStoreError):
            await store.append(events[2:])
        for is_down in (True, False):
            inner.is_down = is_down
            other = StepTaken(chain=1, round=0, step=Rationale(text="other"))
            try:
                await store.append([events[2].model_copy(update={"body": other})])
            except TraceStoreError:
                assert is_down
    assert await stored(inner, 1) == events


async def test_late_events_of_a_run_that_another_process_has_resumed_are_dropped() -> None:
    inner = FlakyStore()
    events = events_of(1, steps=9)
    async with PatientTraceStore(inner) as store:
        await store.append(events[:3])
        inner.is_down = True
        with pytest.raises(TraceStoreError):
            await store.append(events[2:])
        inner.is_down = False
        resumed = TraceEvent(run_id=run_id(1), seq=3, at=2.0, body=RunResumed(worked_s=1.0))
        await inner.append([resumed])
        await store.append(events_of(2))
        assert [event async for event in store.read(run_id(1))] == [*events[:3], resumed]
    assert await stored(inner, 2) == events_of(2)


class StuckStore(MemoryTraceStore):
    """Opens when it is told to, or fails to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = asyncio.Event()
        self.is_broken = False
        self.opened = self.closed = 0

    async def __aenter__(self) -> Self:
        self.opened += 1
        await self.may_go_on.wait()
        if self.is_broken:
            raise TraceStoreError("cannot be opened")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.closed += 1


async def test_calls_that_wait_for_one_attempt_to_open_fail_with_it() -> None:
    inner = StuckStore()
    inner.is_broken = True
    inner.may_go_on.set()
    async with PatientTraceStore(inner) as store:
        inner.may_go_on.clear()
        calls = [asyncio.ensure_future(store.runs()) for _ in range(5)]
        await asyncio.sleep(0.01)
        inner.may_go_on.set()
        failures = await asyncio.gather(*calls, return_exceptions=True)
        assert [str(failure) for failure in failures] == ["cannot be opened"] * 5
        assert inner.opened == 2
        inner.is_broken = False
        assert await store.runs() == []


async def test_a_store_that_opens_while_all_ends_is_closed() -> None:
    inner = StuckStore()
    inner.is_broken = True
    inner.may_go_on.set()
    async with PatientTraceStore(inner) as store:
        inner.is_broken = False
        inner.may_go_on.clear()
        listing = asyncio.ensure_future(store.runs())
        await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(0.05, inner.may_go_on.set)
    await asyncio.wait({listing})
    assert (inner.opened, inner.closed) == (2, 1)
