from __future__ import annotations

import multiprocessing
import resource
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from abaci.errors import TraceStoreError
from abaci.traces.config import SqliteTraceConfig
from abaci.traces.sqlite import SqliteTraceStore
from abaci.types import Problem, Rationale, RunStarted, StepTaken, TraceEvent


def run_id(number: int) -> str:
    return f"run_{number:024x}"


def started(number: int, at: float | None = None) -> TraceEvent:
    body = RunStarted(problem=Problem(question="1 + 1?"), model="tiny")
    return TraceEvent(run_id=run_id(number), seq=0, at=time.time() if at is None else at, body=body)


def step(number: int, seq: int) -> TraceEvent:
    body = StepTaken(chain=0, round=0, step=Rationale(text="t" * 100))
    return TraceEvent(run_id=run_id(number), seq=seq, at=time.time(), body=body)


async def open_and_close(path: Path) -> None:
    async with SqliteTraceStore(SqliteTraceConfig(path=path)):
        pass


async def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database\n" * 1000)
    with pytest.raises(TraceStoreError, match=r"notes\.txt cannot be opened: file is not a database"):
        await open_and_close(path)
    assert path.read_text() == "no database\n" * 1000


async def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE events (x)")
    theirs.close()
    with pytest.raises(TraceStoreError, match=r"theirs\.db is not a trace file of abaci"):
        await open_and_close(path)


async def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    await open_and_close(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(TraceStoreError, match=r"has schema 99.*upgrade abaci"):
        await open_and_close(path)


async def test_a_file_from_before_there_were_claims_takes_them(tmp_path: Path) -> None:
    path = tmp_path / "older.db"
    await open_and_close(path)
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE claims")
    connection.close()
    async with SqliteTraceStore(SqliteTraceConfig(path=path)) as store:
        assert await store.claim("run_1", "ours", 60) == 0


async def test_a_folder_that_cannot_be_made_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TraceStoreError, match=r"file/traces\.db cannot be opened"):
        await open_and_close(tmp_path / "file" / "traces.db")


async def test_a_folder_in_place_of_the_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(TraceStoreError, match=r"cannot be opened: unable to open database file"):
        await open_and_close(tmp_path)


async def test_a_file_damaged_inside_is_an_error_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    async with SqliteTraceStore(SqliteTraceConfig(path=path)) as store:
        await store.append([started(1), *(step(1, seq) for seq in range(1, 500))])
    content = bytearray(path.read_bytes())
    content[3 * 4096 :] = b"\xff" * (len(content) - 3 * 4096)
    path.write_bytes(content)
    with pytest.raises(TraceStoreError, match=r"traces\.db cannot "):
        async with SqliteTraceStore(SqliteTraceConfig(path=path)) as store:
            assert [event.seq async for event in store.read(run_id(1))]


async def test_a_disk_that_is_full_at_the_end_is_no_error_and_loses_nothing(tmp_path: Path) -> None:
    config = SqliteTraceConfig(path=tmp_path / "traces.db")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        async with SqliteTraceStore(config) as store:
            await store.append([started(1), *(step(1, seq) for seq in range(1, 500))])
            resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    async with SqliteTraceStore(config) as store:
        assert len([event async for event in store.read(run_id(1))]) == 500


async def test_an_event_that_was_tampered_with_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    async with SqliteTraceStore(SqliteTraceConfig(path=path)) as store:
        await store.append([started(1)])
        connection = sqlite3.connect(path)
        connection.execute("UPDATE events SET event = replace(event, '\"version\":1', '\"version\":2')")
        connection.commit()
        connection.close()
        with pytest.raises(TraceStoreError, match=r"traces\.db holds an event that this version cannot read \(version"):
            assert [event async for event in store.read(run_id(1))]


async def test_a_run_older_than_the_ttl_goes_when_another_starts_or_the_store_opens(tmp_path: Path) -> None:
    config = SqliteTraceConfig(path=tmp_path / "traces.db", ttl_s=100)
    async with SqliteTraceStore(config) as store:
        await store.append([started(1, at=time.time() - 90)])
        await store.append([started(2, at=time.time() - 200)])
        await store.append([started(3)])
        assert [run.run_id for run in await store.runs()] == [run_id(3), run_id(1)]
    async with SqliteTraceStore(config.model_copy(update={"ttl_s": 60.0})) as store:
        assert [run.run_id for run in await store.runs()] == [run_id(3)]


async def test_without_a_ttl_runs_stay(tmp_path: Path) -> None:
    async with SqliteTraceStore(SqliteTraceConfig(path=tmp_path / "traces.db")) as store:
        await store.append([started(1, at=0.0)])
        await store.append([started(2)])
        assert len(await store.runs()) == 2


def test_the_file_is_in_the_users_data_folder_by_default() -> None:
    assert SqliteTraceConfig().file.parts[-2:] == ("abaci", "traces.db")


def write_run(path: Path, number: int) -> None:
    """A process of its own that appends an event at a time, and its neighbours' events again."""
    import asyncio

    async def write() -> None:
        async with SqliteTraceStore(SqliteTraceConfig(path=path)) as store:
            await store.append([started(number)])
            for seq in range(1, 40):
                await store.append([step(number, seq), step(100, seq)])

    asyncio.run(write())


async def test_several_processes_write_to_one_new_file(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_run, args=(path, number), daemon=True) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    async with SqliteTraceStore(SqliteTraceConfig(path=path)) as store:
        for number in range(3):
            assert [event.seq async for event in store.read(run_id(number))] == list(range(40))
        assert [event.seq async for event in store.read(run_id(100))] == list(range(1, 40))
        assert len(await store.runs()) == 4


async def test_a_writer_that_holds_the_file_is_waited_for_and_then_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abaci.traces.sqlite.BUSY_TIMEOUT_S", 0.1)
    path = tmp_path / "traces.db"
    async with SqliteTraceStore(SqliteTraceConfig(path=path)) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TraceStoreError, match=r"traces\.db cannot store events: database is locked"):
            await store.append([started(1)])
        other.execute("ROLLBACK")
        other.close()
        await store.append([started(1)])
        assert len(await store.runs()) == 1


FULL_DISK = """
import asyncio, sys
from pathlib import Path
from abaci.traces.config import SqliteTraceConfig
from abaci.traces.sqlite import SqliteTraceStore
from abaci.traces.writer import TraceWriter
from abaci.types import Rationale, StepTaken, TraceEvent

def step(seq):
    body = StepTaken(chain=0, round=0, step=Rationale(text="t" * 10_000))
    return TraceEvent(run_id="run_" + "0" * 24, seq=seq, at=0.0, body=body)

async def main():
    async with SqliteTraceStore(SqliteTraceConfig(path=Path(sys.argv[1]))) as store:
        async with TraceWriter(store, patience_s=0.3) as writer:
            for seq in range(200):
                writer.put(step(seq))
                if seq == 20:
                    await writer.flush()
        kept = [event.seq async for event in store.read("run_" + "0" * 24)]
    print(kept == list(range(21)), writer.warnings)

asyncio.run(main())
"""


def test_a_full_disk_is_a_warning_and_keeps_what_was_stored(tmp_path: Path) -> None:
    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "traces.db")]
    done = subprocess.run(command, preexec_fn=no_large_files, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True ('179 events of run")
    assert "traces.db cannot store events: " in done.stdout
