"""The trace-store contract, over every implementation. Redis is a real server on a free port."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Protocol

import pytest

from abaci.errors import RunNotFound, TraceStoreError
from abaci.traces.base import TraceStore
from abaci.traces.config import MemoryTraceConfig, RedisTraceConfig, SqliteTraceConfig
from abaci.traces.memory import MemoryTraceStore
from abaci.traces.patient import PatientTraceStore
from abaci.traces.redis import RedisTraceStore
from abaci.traces.sqlite import SqliteTraceStore
from abaci.traces.writer import TraceWriter
from abaci.types import (
    Answer,
    ChainStarted,
    Decided,
    DecisionMade,
    EventBody,
    Problem,
    Rationale,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStatus,
    SampleMore,
    StepTaken,
    TextDelta,
    TraceEvent,
    new_run_id,
)


class RedisServer(Protocol):
    """The fixture `redis_server`."""

    url: str

    def start(self) -> None: ...

    def stop(self) -> None: ...


MakeStore = Callable[[], TraceStore]


@pytest.fixture(params=["memory", "sqlite", "redis", "patient"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    """Makes unopened stores over the same place: what one stored, the next one finds."""
    match request.param:
        case "memory":
            memory = MemoryTraceStore(MemoryTraceConfig())
            return lambda: memory
        case "sqlite":
            return lambda: SqliteTraceStore(SqliteTraceConfig(path=tmp_path / "traces" / "traces.db"))
        case "patient":
            file = SqliteTraceConfig(path=tmp_path / "traces.db")
            return lambda: PatientTraceStore(SqliteTraceStore(file))
        case _:
            config = redis_config(request.getfixturevalue("redis_server"))
            return lambda: RedisTraceStore(config)


@pytest.fixture
async def store(make_store: MakeStore) -> AsyncIterator[TraceStore]:
    async with make_store() as opened:
        yield opened


def redis_config(server: RedisServer, ttl_s: float = 3600.0) -> RedisTraceConfig:
    return RedisTraceConfig(url=server.url, ttl_s=ttl_s, prefix=f"test-{secrets.token_hex(6)}:")


def event(run_id: str, seq: int, body: EventBody, at: float | None = None) -> TraceEvent:
    return TraceEvent(run_id=run_id, seq=seq, at=time.time() if at is None else at, body=body)


def started(run_id: str, question: str = "1 + 1?", at: float | None = None) -> TraceEvent:
    return event(run_id, 0, RunStarted(problem=Problem(question=question, reference="2"), model="tiny"), at)


def step(run_id: str, seq: int, text: str = "think") -> TraceEvent:
    return event(run_id, seq, StepTaken(chain=0, round=0, step=Rationale(text=text)))


def decided(run_id: str, seq: int, answer: str, confidence: float = 1.0) -> TraceEvent:
    decision = Decided(answer=Answer(raw=answer, canonical=answer), confidence=confidence)
    return event(run_id, seq, DecisionMade(decision=decision))


def finished(run_id: str, seq: int) -> TraceEvent:
    return event(run_id, seq, RunFinished(status=RunStatus.SOLVED, duration_s=2.5))


def whole_run(run_id: str, at: float | None = None) -> list[TraceEvent]:
    chain = event(run_id, 1, ChainStarted(chain=0, seed=7))
    return [started(run_id, at=at), chain, step(run_id, 2), decided(run_id, 3, "2"), finished(run_id, 4)]


async def read(store: TraceStore, run_id: str, after: int = -1) -> list[TraceEvent]:
    return [event async for event in store.read(run_id, after)]


async def test_events_come_back_as_they_were_appended(store: TraceStore) -> None:
    events = whole_run(new_run_id())
    await store.append(events)
    assert await read(store, events[0].run_id) == events


async def test_appending_the_same_events_again_changes_nothing(store: TraceStore) -> None:
    events = whole_run(new_run_id())
    await store.append(events[:3])
    await store.append(events)
    await store.append(events)
    assert await read(store, events[0].run_id) == events
    assert len(await store.runs()) == 1


async def test_the_first_event_stored_under_a_seq_stays(store: TraceStore) -> None:
    run_id = new_run_id()
    await store.append([step(run_id, 0, "first")])
    await store.append([step(run_id, 0, "second")])
    (kept,) = await read(store, run_id)
    assert kept.body == StepTaken(chain=0, round=0, step=Rationale(text="first"))


async def test_one_call_may_hold_an_event_twice(store: TraceStore) -> None:
    one = started(new_run_id())
    await store.append([one, one])
    assert await read(store, one.run_id) == [one]


async def test_events_are_read_in_order_however_they_arrive(store: TraceStore) -> None:
    run_id = new_run_id()
    events = [step(run_id, seq) for seq in range(12)]
    await store.append(events[7:])
    await store.append([events[3], events[0]])
    await store.append(list(reversed(events)))
    assert await read(store, run_id) == events


async def test_reading_starts_after_the_seq_asked_for(store: TraceStore) -> None:
    events = whole_run(new_run_id())
    await store.append(events)
    assert await read(store, events[0].run_id, after=2) == events[3:]
    assert await read(store, events[0].run_id, after=4) == []


async def test_a_run_longer_than_a_page_is_read_whole(store: TraceStore) -> None:
    run_id = new_run_id()
    events = [step(run_id, seq) for seq in range(700)]
    await store.append(events)
    assert await read(store, run_id) == events
    assert await read(store, run_id, after=511) == events[512:]


async def test_a_reader_that_stops_half_way_does_not_block_the_store(store: TraceStore) -> None:
    run_id = new_run_id()
    await store.append([step(run_id, seq) for seq in range(10)])
    reader = store.read(run_id)
    assert (await anext(reader)).seq == 0
    await store.append([step(run_id, 10)])
    assert len(await read(store, run_id)) == 11


async def test_an_unknown_run_is_not_found(store: TraceStore) -> None:
    await store.append(whole_run(new_run_id()))
    with pytest.raises(RunNotFound, match="no run 'nonsense'"):
        await read(store, "nonsense")


async def test_streamed_only_events_are_not_stored(store: TraceStore) -> None:
    run_id = new_run_id()
    delta = event(run_id, 0, TextDelta(chain=0, text="1 +"))
    await store.append([delta])
    assert await store.runs() == []
    await store.append([started(run_id), delta])
    assert [event.body.kind for event in await read(store, run_id)] == ["run_started"]


async def test_appending_nothing_is_fine(store: TraceStore) -> None:
    await store.append([])
    assert await store.runs() == []


@pytest.mark.parametrize("text", ["\x00\x1f", "\u2028\u2029\x85", "é 𝟚 \\frac{1}{2}", "x" * 300_000])
async def test_any_text_is_kept(store: TraceStore, text: str) -> None:
    run_id = new_run_id()
    events = [started(run_id, question=f"What is {text[:1000]}?"), step(run_id, 1, text)]
    await store.append(events)
    assert await read(store, run_id) == events
    assert (await store.runs())[0].run_id == run_id


async def test_half_a_surrogate_pair_does_not_stop_the_store(store: TraceStore) -> None:
    run_id = new_run_id()
    broken = event(run_id, 0, StepTaken.model_construct(chain=0, round=0, step=Rationale(text="a\ud83db")))
    await store.append([broken])
    assert [event.seq for event in await read(store, run_id)] == [0]


async def test_a_run_is_summarized_as_it_goes_on(store: TraceStore) -> None:
    run_id = new_run_id()
    await store.append([started(run_id, at=1e9)])
    (running,) = await store.runs()
    assert (running.status, running.question, running.started_at) == (RunStatus.RUNNING, "1 + 1?", 1e9)
    assert running.answer is running.confidence is running.duration_s is None
    await store.append([event(run_id, 1, DecisionMade(decision=SampleMore(samples=2)))])
    assert (await store.runs())[0].answer is None
    await store.append([decided(run_id, 2, "3", 0.5), decided(run_id, 3, "2", 0.75)])
    await store.append([decided(run_id, 2, "3", 0.5), finished(run_id, 4)])
    (done,) = await store.runs()
    assert (done.status, done.answer, done.confidence, done.duration_s) == (RunStatus.SOLVED, "2", 0.75, 2.5)
    assert done.started_at == 1e9


async def test_a_run_that_goes_on_after_its_end_is_listed_as_running(store: TraceStore) -> None:
    run_id = new_run_id()
    await store.append([started(run_id), finished(run_id, 1)])
    await store.append([event(run_id, 2, RunResumed(worked_s=2.5))])
    (summary,) = await store.runs()
    assert (summary.status, summary.duration_s) == (RunStatus.RUNNING, None)


async def test_a_long_question_is_listed_in_short(store: TraceStore) -> None:
    run_id = new_run_id()
    await store.append([started(run_id, question="7" * 90_000)])
    (summary,) = await store.runs()
    assert len(summary.question) == 300
    assert summary.question.endswith("7…")


async def test_a_run_whose_beginning_is_missing_is_listed(store: TraceStore) -> None:
    run_id = new_run_id()
    await store.append([step(run_id, 5)])
    (summary,) = await store.runs()
    assert (summary.run_id, summary.question, summary.status) == (run_id, "", RunStatus.RUNNING)


async def test_runs_are_listed_newest_first_and_page_by_page(store: TraceStore) -> None:
    ids = sorted(f"run_{n:012x}{secrets.token_hex(6)}" for n in range(7))
    for run_id in [ids[3], ids[0], ids[6], ids[1], ids[5], ids[2], ids[4]]:
        await store.append([started(run_id)])
    newest_first = list(reversed(ids))
    assert [run.run_id for run in await store.runs()] == newest_first
    assert [run.run_id for run in await store.runs(limit=3)] == newest_first[:3]
    assert [run.run_id for run in await store.runs(limit=3, before=newest_first[2])] == newest_first[3:6]
    assert [run.run_id for run in await store.runs(limit=3, before=ids[0])] == []
    assert await store.runs(limit=0) == []


async def test_one_call_may_hold_events_of_several_runs(store: TraceStore) -> None:
    first, second = new_run_id(), new_run_id()
    await store.append([started(first), started(second), step(first, 1), step(second, 1)])
    assert [event.seq for event in await read(store, first)] == [0, 1]
    assert [event.seq for event in await read(store, second)] == [0, 1]
    assert len(await store.runs()) == 2


async def test_old_runs_are_deleted_and_counted(store: TraceStore) -> None:
    old, new = new_run_id(), new_run_id()
    await store.append(whole_run(old, at=time.time() - 1000))
    await store.append(whole_run(new))
    assert await store.expire(2000) == 0
    assert await store.expire(500) == 1
    assert [run.run_id for run in await store.runs()] == [new]
    with pytest.raises(RunNotFound):
        await read(store, old)
    assert len(await read(store, new)) == 5
    assert await store.expire(500) == 0


async def test_a_claim_is_one_holders_until_it_lets_go(store: TraceStore) -> None:
    run_id, other = new_run_id(), new_run_id()
    assert await store.claim(run_id, "ours", 60) == 0
    assert 50 < await store.claim(run_id, "theirs", 60) <= 60
    assert await store.claim(other, "theirs", 60) == 0
    # The other's attempt has changed nothing; renewing and letting go are the holder's.
    assert await store.claim(run_id, "ours", 30) == 0
    assert 20 < await store.claim(run_id, "theirs", 0) <= 30
    assert await store.claim(run_id, "ours", 0) == 0
    assert await store.claim(run_id, "theirs", 60) == 0
    with pytest.raises(RunNotFound):
        await read(store, run_id)


async def test_a_claim_that_is_not_renewed_lapses(store: TraceStore) -> None:
    run_id = new_run_id()
    assert await store.claim(run_id, "ours", 0.2) == 0
    assert 0 < await store.claim(run_id, "theirs", 60) <= 0.2
    await asyncio.sleep(0.3)
    assert await store.claim(run_id, "theirs", 60) == 0
    assert await store.claim(run_id, "ours", 60) > 50


async def test_of_many_that_claim_a_run_at_once_one_gets_it(make_store: MakeStore) -> None:
    run_id = new_run_id()
    async with make_store() as ours, make_store() as theirs:
        claims = [
            store.claim(run_id, f"{place} {number}", 60)
            for number in range(10)
            for place, store in enumerate((ours, theirs))
        ]
        left = await asyncio.gather(*claims)
    assert sorted(left)[0] == 0
    assert all(seconds > 50 for seconds in sorted(left)[1:])


async def test_writers_at_the_same_time_do_not_disturb_each_other(store: TraceStore) -> None:
    run_ids = [new_run_id() for _ in range(8)]

    async def write(run_id: str) -> None:
        for seq in range(10):
            await store.append([started(run_id) if seq == 0 else step(run_id, seq)])

    await asyncio.gather(*(write(run_id) for run_id in run_ids))
    for run_id in run_ids:
        assert [event.seq for event in await read(store, run_id)] == list(range(10))


async def test_appends_in_any_order_and_overlap_amount_to_a_dictionary(store: TraceStore) -> None:
    random = Random(11)
    run_ids = [new_run_id() for _ in range(3)]
    model: dict[tuple[str, int], TraceEvent] = {}
    for attempt in range(80):
        keys = [(random.choice(run_ids), random.randrange(30)) for _ in range(random.randrange(1, 9))]
        batch = [step(run_id, seq, f"{attempt}") for run_id, seq in dict.fromkeys(keys)]
        await store.append(batch)
        for one in batch:
            model.setdefault((one.run_id, one.seq), one)
    for run_id in run_ids:
        expected = [model[key] for key in sorted(model) if key[0] == run_id]
        assert await read(store, run_id) == expected
    assert [run.run_id for run in await store.runs()] == sorted(run_ids, reverse=True)


async def test_what_was_appended_is_there_after_closing_and_opening(make_store: MakeStore) -> None:
    events = whole_run(new_run_id())
    async with make_store() as first:
        await first.append(events)
    async with make_store() as second:
        assert await read(second, events[0].run_id) == events
        assert (await second.runs())[0].answer == "2"


async def test_two_stores_over_the_same_place_see_each_other(make_store: MakeStore) -> None:
    events = whole_run(new_run_id())
    async with make_store() as ours, make_store() as theirs:
        await ours.append(events[:2])
        await theirs.append(events)
        assert await read(ours, events[0].run_id) == events
        assert [run.status for run in await ours.runs()] == [RunStatus.SOLVED]


async def test_a_cancelled_append_leaves_the_store_usable(store: TraceStore) -> None:
    run_id = new_run_id()
    events = [step(run_id, seq) for seq in range(200)]
    for delay_s in (0.0, 0.001, 0.003):
        task = asyncio.create_task(store.append(events))
        await asyncio.sleep(delay_s)
        task.cancel()
        await asyncio.wait({task})
    await store.append(events)
    assert await read(store, run_id) == events


@pytest.mark.parametrize("kind", ["sqlite", "redis", "patient"])
async def test_a_store_that_is_not_open_says_so(kind: str, tmp_path: Path) -> None:
    file = SqliteTraceStore(SqliteTraceConfig(path=tmp_path / "t.db"))
    closed: TraceStore = {"sqlite": file, "redis": RedisTraceStore(), "patient": PatientTraceStore(file)}[kind]
    with pytest.raises(TraceStoreError, match="is not open"):
        await closed.append([started(new_run_id())])


# --- Redis only -------------------------------------------------------------------------------------------------------


async def test_redis_down_in_the_middle_of_a_run_loses_and_doubles_nothing(redis_server: RedisServer) -> None:
    run_id = new_run_id()
    async with RedisTraceStore(redis_config(redis_server)) as store:
        async with TraceWriter(store, flush_interval_s=0.01, patience_s=20, failing_patience_s=20) as writer:
            writer.put(started(run_id))
            for seq in range(1, 400):
                writer.put(step(run_id, seq))
                if seq == 150:
                    await asyncio.sleep(0.1)
                    redis_server.stop()
                if seq % 40 == 0:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.2)
            assert "cannot store events" in writer.warnings[0]
            redis_server.start()
            writer.put(finished(run_id, 400))
        assert writer.warnings == ()
        assert [event.seq for event in await read(store, run_id)] == list(range(401))
        assert [run.status for run in await store.runs()] == [RunStatus.SOLVED]


async def test_redis_that_stays_down_becomes_a_warning(redis_server: RedisServer) -> None:
    run_id = new_run_id()
    async with RedisTraceStore(redis_config(redis_server)) as store:
        redis_server.stop()
        try:
            async with TraceWriter(store, flush_interval_s=0.01, patience_s=0.3) as writer:
                writer.put(started(run_id))
                writer.put(finished(run_id, 1))
        finally:
            redis_server.start()
        (warning,) = writer.warnings
        assert warning.startswith(f"2 events of run {run_id} are not in the trace store redis://127.0.0.1:")
        assert "cannot store events" in warning


async def test_redis_keys_all_expire_but_the_two_indexes(redis_server: RedisServer) -> None:
    config = redis_config(redis_server, ttl_s=100)
    run_id = new_run_id()
    async with RedisTraceStore(config) as store:
        await store.append(whole_run(run_id))
        client = store._opened()
        keys = {key async for key in client.scan_iter(match=f"{config.prefix}*")}
        eternal = {key for key in keys if await client.ttl(key) == -1}
        assert eternal == {f"{config.prefix}runs", f"{config.prefix}started"}
        assert {await client.ttl(key) for key in keys - eternal} <= {99, 100}


async def test_each_append_to_redis_lengthens_the_life_of_its_run(redis_server: RedisServer) -> None:
    config = redis_config(redis_server, ttl_s=100)
    run_id = new_run_id()
    async with RedisTraceStore(config) as store:
        await store.append([started(run_id)])
        client = store._opened()
        await client.expire(f"{config.prefix}run:{run_id}:events", 5)
        await client.expire(f"{config.prefix}run:{run_id}:heads", 5)
        await store.append([step(run_id, 1)])
        assert await client.ttl(f"{config.prefix}run:{run_id}:events") > 90
        assert await client.ttl(f"{config.prefix}run:{run_id}:heads") > 90


async def test_a_run_that_expired_in_redis_vanishes_and_is_forgotten(redis_server: RedisServer) -> None:
    config = redis_config(redis_server, ttl_s=100)
    kept, gone = f"run_{1:024x}", f"run_{2:024x}"
    async with RedisTraceStore(config) as store:
        await store.append([started(gone, at=time.time() - 500), started(kept)])
        client = store._opened()
        await client.pexpire(f"{config.prefix}run:{gone}:events", 1)
        await client.pexpire(f"{config.prefix}run:{gone}:heads", 1)
        await asyncio.sleep(0.02)
        assert [run.run_id for run in await store.runs(limit=1)] == [kept]
        with pytest.raises(RunNotFound):
            await read(store, gone)
        newest = new_run_id()
        await store.append([started(newest)])
        assert await client.zrange(f"{config.prefix}runs", 0, -1) == [kept, newest]
        assert await client.zcard(f"{config.prefix}started") == 2


async def test_redis_that_cannot_be_reached_is_named_without_its_password() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        config = RedisTraceConfig(url=f"redis://user:hush@127.0.0.1:{probe.getsockname()[1]}/3?password=hush2")
        with pytest.raises(TraceStoreError, match=r"redis://127\.0\.0\.1:\d+/3 .*cannot be reached") as caught:
            async with RedisTraceStore(config):
                pass
    assert "hush" not in f"{caught.value} {config!r} {config.model_dump_json()}"
