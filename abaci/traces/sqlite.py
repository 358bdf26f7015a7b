"""Traces in one SQLite file: the embedded default. Several processes may write to it at once."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from abaci.errors import RunNotFound, TraceStoreError
from abaci.traces.codec import parse_event, to_json
from abaci.traces.config import SqliteTraceConfig
from abaci.traces.summary import HEAD_KINDS, by_run, fold_summary, is_head
from abaci.types import RunSummary, TraceEvent

T = TypeVar("T")

SCHEMA_VERSION = 1
APPLICATION_ID = 0x61626163
"""`abac` in ASCII: marks the file as ours."""
BUSY_TIMEOUT_S = 5.0
"""How long a transaction waits for another process's."""
PAGE_EVENTS = 256
OPENING = "be opened"
ELSEWHERE = "; another file can be named with ABACI_TRACES__KIND=sqlite and ABACI_TRACES__PATH"

_SCHEMA = (
    """CREATE TABLE runs (
        run_id TEXT PRIMARY KEY NOT NULL,
        started_at REAL NOT NULL,
        status TEXT NOT NULL DEFAULT 'running',
        question TEXT NOT NULL DEFAULT '',
        answer TEXT,
        confidence REAL,
        duration_s REAL
    )""",
    "CREATE INDEX runs_by_start ON runs (started_at)",
    """CREATE TABLE events (
        run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        kind TEXT NOT NULL,
        event TEXT NOT NULL,
        PRIMARY KEY (run_id, seq)
    )""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
# Not part of the version: files of before get it when they are opened.
_ADD_CLAIMS = """CREATE TABLE IF NOT EXISTS claims (
    run_id TEXT PRIMARY KEY NOT NULL,
    holder TEXT NOT NULL,
    until REAL NOT NULL
)"""
_DROP_LAPSED = "DELETE FROM claims WHERE until <= ?"
_OTHER_CLAIM = "SELECT until FROM claims WHERE run_id = ? AND holder != ?"
_CLAIM = "INSERT OR REPLACE INTO claims (run_id, holder, until) VALUES (?, ?, ?)"
_ADD_RUN = """INSERT INTO runs (run_id, started_at) VALUES (?, ?)
    ON CONFLICT (run_id) DO UPDATE SET started_at = min(started_at, excluded.started_at)"""
_ADD_EVENT = "INSERT INTO events (run_id, seq, kind, event) VALUES (?, ?, ?, ?) ON CONFLICT (run_id, seq) DO NOTHING"
_READ_HEADS = "SELECT event FROM events WHERE run_id = ? AND kind IN (?, ?, ?, ?) ORDER BY seq"
_SET_SUMMARY = "UPDATE runs SET status = ?, question = ?, answer = ?, confidence = ?, duration_s = ? WHERE run_id = ?"
_READ_PAGE = "SELECT event FROM events WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?"
_HAS_RUN = "SELECT 1 FROM runs WHERE run_id = ?"
_LIST = """SELECT run_id, started_at, status, question, answer, confidence, duration_s FROM runs
    WHERE run_id < coalesce(?, '~') ORDER BY run_id DESC LIMIT ?"""
_COLUMNS = ("run_id", "started_at", "status", "question", "answer", "confidence", "duration_s")
_DELETE_OLD = "DELETE FROM runs WHERE started_at < ?"


class SqliteTraceStore:
    """A trace store in one file.

    Each append is one immediate transaction under write-ahead logging, so other processes read while one writes. The
    connection lives on a thread of its own, where one call runs after the other and to its end, also when its caller is
    cancelled.
    """

    def __init__(self, config: SqliteTraceConfig | None = None) -> None:
        self._config = config or SqliteTraceConfig()
        self._path = self._config.file
        self._file: _TraceFile | None = None
        self._thread: ThreadPoolExecutor | None = None

    @property
    def location(self) -> str:
        """The file, for people."""
        return str(self._path)

    async def append(self, events: Sequence[TraceEvent]) -> None:
        """Store `events` in one transaction; see the contract."""
        runs = by_run(events)
        if runs:
            file = self._opened()
            await self._call("store events", partial(file.append, runs))

    async def read(self, run_id: str, after: int = -1) -> AsyncGenerator[TraceEvent, None]:
        """The events of a run in order, read in pages; see the contract."""
        file = self._opened()
        page = await self._call("read a run", partial(file.page, run_id, after))
        if page is None:
            raise RunNotFound(run_id)
        while page:
            for text in page:
                event = parse_event(text, self.location)
                yield event
            page = await self._call("read a run", partial(file.page, run_id, event.seq))

    async def runs(self, limit: int = 50, before: str | None = None) -> list[RunSummary]:
        """The newest runs; see the contract."""
        file = self._opened()
        return await self._call("list runs", partial(file.runs, max(0, limit), before))

    async def claim(self, run_id: str, holder: str, for_s: float) -> float:
        """Make the run `holder`'s; see the contract."""
        file = self._opened()
        return await self._call("claim a run", partial(file.claim, run_id, holder, for_s))

    async def expire(self, older_than_s: float) -> int:
        """Delete old runs; see the contract."""
        file = self._opened()
        return await self._call("delete old runs", partial(file.expire, older_than_s))

    async def __aenter__(self) -> Self:
        """Open the file, and create it, its folder and its tables where they are absent; see the contract."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="abaci-traces")
        try:
            self._file = await self._call(OPENING, partial(_TraceFile, self._path, self._config.ttl_s))
        except BaseException:
            self._thread.shutdown(wait=False)
            self._thread = None
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close: the write-ahead log is synced into the file as far as other processes allow."""
        file, self._file = self._file, None
        if file is None or self._thread is None:
            return
        try:
            await self._call("be closed", file.close)
        finally:
            self._thread.shutdown(wait=False)
            self._thread = None

    def _opened(self) -> _TraceFile:
        if self._file is None:
            raise TraceStoreError(f"trace store {self.location} is not open: use it within `async with`")
        return self._file

    async def _call(self, action: str, function: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function)
        except (sqlite3.Error, OSError) as error:
            advice = ELSEWHERE if action == OPENING else ""
            raise TraceStoreError(f"trace store {self.location} cannot {action}: {error}{advice}") from error


class _TraceFile:
    """The open file, for one thread.

    Raises:
        sqlite3.Error, OSError: from every method; the file is then as it was before.
        TraceStoreError: the file is another program's or another version's, or holds a damaged event.
    """

    def __init__(self, path: Path, ttl_s: float | None) -> None:
        self._path = path
        self._ttl_s = ttl_s
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            _use_wal(self._connection)
            with self._transaction():
                self._check_schema()
                self._drop_expired()
        except BaseException:
            self._connection.close()
            raise

    def append(self, runs: dict[str, list[TraceEvent]]) -> None:
        events = [event for batch in runs.values() for event in batch]
        rows = [(event.run_id, event.seq, event.body.kind, to_json(event)) for event in events]
        with self._transaction() as connection:
            starts = [(run_id, min(event.at for event in batch)) for run_id, batch in runs.items()]
            connection.executemany(_ADD_RUN, starts)
            connection.executemany(_ADD_EVENT, rows)
            for run_id in {event.run_id for event in events if is_head(event)}:
                self._summarize(run_id)
            if any(event.body.kind == "run_started" for event in events):
                self._drop_expired()

    def page(self, run_id: str, after: int) -> list[str] | None:
        """The JSON of the next events after `after`; None: there is no such run."""
        rows = self._connection.execute(_READ_PAGE, (run_id, after, PAGE_EVENTS)).fetchall()
        if not rows and self._connection.execute(_HAS_RUN, (run_id,)).fetchone() is None:
            return None
        return [str(row[0]) for row in rows]

    def runs(self, limit: int, before: str | None) -> list[RunSummary]:
        rows = self._connection.execute(_LIST, (before, limit)).fetchall()
        return [RunSummary.model_validate(dict(zip(_COLUMNS, row, strict=True))) for row in rows]

    def claim(self, run_id: str, holder: str, for_s: float) -> float:
        now = time.time()
        with self._transaction() as connection:
            connection.execute(_DROP_LAPSED, (now,))
            other = connection.execute(_OTHER_CLAIM, (run_id, holder)).fetchone()
            if other is not None:
                return float(other[0]) - now
            connection.execute(_CLAIM, (run_id, holder, now + for_s))
        return 0.0

    def expire(self, older_than_s: float) -> int:
        with self._transaction() as connection:
            return connection.execute(_DELETE_OLD, (time.time() - older_than_s,)).rowcount

    def close(self) -> None:
        # What was appended is in the log: on a full disk it stays there, for the next one who opens the file.
        with closing(self._connection), suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        # IMMEDIATE: a transaction that turns from reader to writer may fail without waiting for its turn.
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.rollback()
            raise

    def _check_schema(self) -> None:
        """Create the tables in an empty file, and refuse a file that is not ours."""
        if not self._number("SELECT count(*) FROM sqlite_master"):
            for statement in _SCHEMA:
                self._connection.execute(statement)
        elif self._number("PRAGMA application_id") != APPLICATION_ID:
            raise TraceStoreError(f"{self._path} is not a trace file of abaci: choose another path")
        elif (version := self._number("PRAGMA user_version")) != SCHEMA_VERSION:
            raise TraceStoreError(
                f"trace file {self._path} has schema {version}, but this version of abaci reads {SCHEMA_VERSION}: "
                "upgrade abaci or choose another path"
            )
        self._connection.execute(_ADD_CLAIMS)

    def _summarize(self, run_id: str) -> None:
        """Bring the run's row up to date with its stored events."""
        rows = self._connection.execute(_READ_HEADS, (run_id, *HEAD_KINDS)).fetchall()
        summary = fold_summary(run_id, 0.0, [parse_event(str(row[0]), str(self._path)) for row in rows])
        values = (summary.status, summary.question, summary.answer, summary.confidence, summary.duration_s, run_id)
        self._connection.execute(_SET_SUMMARY, values)

    def _drop_expired(self) -> None:
        if self._ttl_s is not None:
            self._connection.execute(_DELETE_OLD, (time.time() - self._ttl_s,))

    def _number(self, sql: str) -> int:
        return int(self._connection.execute(sql).fetchone()[0])


def _use_wal(connection: sqlite3.Connection) -> None:
    """Write-ahead logging, where the file system can do it; SQLite does not wait for its turn here, so this does."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
