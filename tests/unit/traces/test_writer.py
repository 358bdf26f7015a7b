from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from abaci.errors import RunInProgress, TraceStoreError
from abaci.traces.hold import Hold
from abaci.traces.memory import MemoryTraceStore
from abaci.traces.writer import TraceWriter
from abaci.types import Rationale, StepTaken, TextDelta, TraceEvent

RUN_ID = f"run_{1:024x}"


def step(seq: int, run_id: str = RUN_ID) -> TraceEvent:
    return TraceEvent(run_id=run_id, seq=seq, at=0.0, body=StepTaken(chain=0, round=0, step=Rationale(text="t")))


class FlakyStore(MemoryTraceStore):
    """Fails while `is_down`; answers after `delay_s`."""

    def __init__(self, *, is_down: bool = False, delay_s: float = 0.0) -> None:
        super().__init__()
        self.is_down = is_down
        self.delay_s = delay_s
        self.batches: list[int] = []
        self.is_used = asyncio.Event()

    async def append(self, events: Sequence[TraceEvent]) -> None:
        await asyncio.sleep(self.delay_s)
        self.batches.append(len(events))
        if self.is_down:
            raise TraceStoreError("no such server")
        await super().append(events)
        self.is_used.set()

    async def seqs(self, run_id: str = RUN_ID) -> list[int]:
        return [event.seq async for event in self.read(run_id)]


@pytest.fixture
async def no_tasks_left() -> AsyncIterator[None]:
    yield
    assert "trace writer" not in {task.get_name() for task in asyncio.all_tasks()}


@pytest.mark.usefixtures("no_tasks_left")
async def test_everything_put_is_stored_when_the_writer_has_closed() -> None:
    store = FlakyStore()
    async with TraceWriter(store, flush_interval_s=60) as writer:
        for seq in range(1000):
            writer.put(step(seq))
    assert await store.seqs() == list(range(1000))
    assert writer.warnings == ()


async def test_events_travel_in_batches() -> None:
    store = FlakyStore()
    async with TraceWriter(store) as writer:
        for seq in range(1000):
            writer.put(step(seq))
    assert len(store.batches) == 4


async def test_events_are_stored_while_the_run_goes_on() -> None:
    store = FlakyStore()
    async with TraceWriter(store, flush_interval_s=0.01) as writer:
        writer.put(step(0))
        await asyncio.wait_for(store.is_used.wait(), 5)
        assert await store.seqs() == [0]


async def test_flush_returns_when_the_events_are_stored() -> None:
    store = FlakyStore(delay_s=0.05)
    async with TraceWriter(store, flush_interval_s=60) as writer:
        writer.put(step(0))
        await writer.flush()
        assert await store.seqs() == [0]
        assert writer.warnings == ()


async def test_flush_of_nothing_returns_at_once() -> None:
    async with TraceWriter(FlakyStore(is_down=True)) as writer:
        await writer.flush()
        assert writer.warnings == ()


async def test_a_store_that_recovers_gets_every_event_once() -> None:
    store = FlakyStore(is_down=True)
    async with TraceWriter(store, flush_interval_s=0.01) as writer:
        for seq in range(300):
            writer.put(step(seq))
        await asyncio.sleep(0.05)
        assert writer.warnings == (f"300 events of run {RUN_ID} are not in the trace store memory: no such server",)
        store.is_down = False
    assert await store.seqs() == list(range(300))
    assert writer.warnings == ()


@pytest.mark.usefixtures("no_tasks_left")
async def test_a_store_that_stays_down_is_a_warning_and_bounds_the_end() -> None:
    began = time.monotonic()
    async with TraceWriter(FlakyStore(is_down=True), patience_s=0.2) as writer:
        writer.put(step(0))
        writer.put(step(1))
        await writer.flush()
    assert time.monotonic() - began < 5
    assert writer.warnings == (f"2 events of run {RUN_ID} are not in the trace store memory: no such server",)


@pytest.mark.usefixtures("no_tasks_left")
async def test_a_store_that_is_slow_gets_more_time_than_one_that_fails() -> None:
    store = FlakyStore(delay_s=0.3)
    async with TraceWriter(store, patience_s=60, failing_patience_s=0.0) as writer:
        writer.put(step(0))
        await writer.flush()
        assert await store.seqs() == [0]
    down = FlakyStore(is_down=True)
    began = time.monotonic()
    async with TraceWriter(down, patience_s=60, failing_patience_s=0.0) as writer:
        writer.put(step(0))
        await writer.flush()
    assert writer.warnings == (f"1 events of run {RUN_ID} are not in the trace store memory: no such server",)
    assert time.monotonic() - began < 30, "nowhere near its patience with a slow store"


async def test_a_flush_that_gave_up_is_followed_by_further_tries() -> None:
    store = FlakyStore(is_down=True)
    async with TraceWriter(store, flush_interval_s=0.01, patience_s=60, failing_patience_s=0.0) as writer:
        writer.put(step(0))
        await writer.flush()
        assert writer.warnings != ()
        store.is_down = False
        await asyncio.wait_for(store.is_used.wait(), 30)
        await writer.flush()
        assert writer.warnings == ()


@pytest.mark.usefixtures("no_tasks_left")
async def test_a_store_that_hangs_is_a_warning_and_bounds_the_end() -> None:
    began = time.monotonic()
    async with TraceWriter(FlakyStore(delay_s=60), patience_s=0.2) as writer:
        writer.put(step(0))
    assert time.monotonic() - began < 5
    assert writer.warnings == (f"1 events of run {RUN_ID} are not in the trace store memory: the store is too slow",)


async def test_memory_is_bounded_and_what_is_refused_is_counted() -> None:
    other = f"run_{2:024x}"
    store = FlakyStore(is_down=True)
    async with TraceWriter(store, max_pending=3, flush_interval_s=0.01) as writer:
        for seq in range(5):
            writer.put(step(seq))
        writer.put(step(0, other))
        store.is_down = False
        await writer.flush()
        writer.put(step(5))
    assert await store.seqs() == [0, 1, 2]
    assert writer.warnings == (
        f"3 events of run {RUN_ID} are not in the trace store memory: 3 events were waiting already",
        f"1 events of run {other} are not in the trace store memory: 3 events were waiting already",
    )


async def test_an_event_after_the_end_is_counted() -> None:
    async with TraceWriter(MemoryTraceStore()) as writer:
        pass
    writer.put(step(0))
    assert writer.warnings == (f"1 events of run {RUN_ID} are not in the trace store memory: the run had ended",)


async def test_streamed_only_events_are_passed_over() -> None:
    store = FlakyStore()
    async with TraceWriter(store) as writer:
        writer.put(TraceEvent(run_id=RUN_ID, seq=0, at=0.0, body=TextDelta(chain=0, text="t")))
    assert store.batches == []


@pytest.mark.usefixtures("no_tasks_left")
async def test_an_error_in_the_run_passes_through_and_its_events_are_stored() -> None:
    store = FlakyStore()

    async def run() -> None:
        async with TraceWriter(store, flush_interval_s=60) as writer:
            writer.put(step(0))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run()
    assert await store.seqs() == [0]


@pytest.mark.usefixtures("no_tasks_left")
async def test_a_cancelled_run_still_stores_its_events() -> None:
    store = FlakyStore(delay_s=0.05)

    async def run() -> None:
        async with TraceWriter(store, flush_interval_s=60) as writer:
            writer.put(step(0))
            await asyncio.sleep(60)

    task = asyncio.create_task(run())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert await store.seqs() == [0]


async def test_put_is_cheap() -> None:
    async with TraceWriter(FlakyStore(is_down=True), patience_s=0.0) as writer:
        event = step(0)
        began = time.perf_counter()
        for _ in range(10_000):
            writer.put(event)
        # 20 µs each is what the run may notice; a loaded machine gets five times that.
        assert time.perf_counter() - began < 1.0


# --- the claim to a run -----------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims last for half a second, and are renewed ten times in it."""
    monkeypatch.setattr("abaci.traces.hold.CLAIM_S", 0.5)
    for module in ("hold", "writer"):
        monkeypatch.setattr(f"abaci.traces.{module}.RENEW_S", 0.05)


@pytest.mark.usefixtures("quick", "no_tasks_left")
async def test_a_claim_is_renewed_while_nothing_happens_and_ends_with_the_work() -> None:
    store = FlakyStore()
    async with Hold(store, RUN_ID) as hold, TraceWriter(store, hold, flush_interval_s=0.01) as writer:
        writer.put(step(0))
        await asyncio.wait_for(store.is_used.wait(), 5)
        assert await store.claim(RUN_ID, "another", 60) > 0
        await asyncio.sleep(1.0)
        assert await store.claim(RUN_ID, "another", 60) > 0
        with pytest.raises(RunInProgress, match="is going on"):
            await Hold(store, RUN_ID).take()
    assert await store.claim(RUN_ID, "another", 60) == 0


@pytest.mark.usefixtures("quick", "no_tasks_left")
async def test_nothing_is_stored_of_a_run_that_another_has_taken_over() -> None:
    store = FlakyStore()
    async with Hold(store, RUN_ID) as hold:
        async with TraceWriter(store, hold, flush_interval_s=0.01) as writer:
            writer.put(step(0))
            await asyncio.wait_for(store.is_used.wait(), 5)
            # As of a process that was stopped for longer than its claim lasts.
            await store.claim(RUN_ID, hold._holder, 0)
            await store.claim(RUN_ID, "another", 60)
            await asyncio.sleep(0.1)
            writer.put(step(1))
            await writer.flush()
            writer.put(step(2))
        cause = "another process has taken the run over"
        assert writer.warnings == (f"2 events of run {RUN_ID} are not in the trace store memory: {cause}",)
    assert await store.seqs() == [0]
    assert await store.claim(RUN_ID, "another", 60) == 0, "it lets go of no claim of another"


@pytest.mark.usefixtures("quick")
async def test_the_claim_of_a_dead_process_is_waited_for() -> None:
    store = MemoryTraceStore()
    await store.claim(RUN_ID, "dead", 0.3)
    async with Hold(store, RUN_ID) as hold:
        began = time.monotonic()
        await hold.take()
        assert 0.25 < time.monotonic() - began < 5
        assert await store.claim(RUN_ID, "another", 60) > 0


class Unclaimable(FlakyStore):
    """Stores events, but no claims."""

    async def claim(self, run_id: str, holder: str, for_s: float) -> float:
        raise TraceStoreError("no room for claims")


@pytest.mark.usefixtures("no_tasks_left")
async def test_a_claim_that_cannot_be_stored_keeps_no_event_back() -> None:
    store = Unclaimable()
    async with Hold(store, RUN_ID) as hold, TraceWriter(store, hold) as writer:
        writer.put(step(0))
    assert await store.seqs() == [0]
    assert writer.warnings == ()
