"""Traces in Redis: one server shared by any number of processes.

A run is a hash of events by `seq` rather than a stream: a stream takes ids in growing order only, so events sent again
after an outage, in part and late, would be refused; `HSETNX` takes each exactly once in any order.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Self, cast
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError

from abaci.errors import RunNotFound, TraceStoreError
from abaci.traces.codec import parse_event, to_json
from abaci.traces.config import RedisTraceConfig
from abaci.traces.keys import Keys
from abaci.traces.summary import by_run, fold_summary, head_of, is_head
from abaci.types import RunSummary, TraceEvent

SOCKET_TIMEOUT_S = 5.0
"""How long a connection attempt, or one command's answer, may take."""
PAGE_EVENTS = 256
CLAIM = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return redis.call('PTTL', KEYS[1]) end
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 0"""
"""A claim for milliseconds, as one step: gives how long another's still lasts, or 0."""
TRIM_RUNS = 100
"""How many vanished runs a new run removes from the listing: more than one, so the listing cannot outgrow the runs."""


class RedisTraceStore:
    """A trace store in Redis. Each append is one `MULTI`; a run vanishes `ttl_s` after its last event."""

    def __init__(self, config: RedisTraceConfig | None = None) -> None:
        self._config = config or RedisTraceConfig()
        self._keys = Keys(self._config.prefix)
        self._client: Redis | None = None

    @property
    def location(self) -> str:
        """Server, database and prefix, for people: no credentials."""
        parts = urlsplit(self._config.url.get_secret_value())
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}{parts.path} ({self._config.prefix}*)"

    async def append(self, events: Sequence[TraceEvent]) -> None:
        """Store `events` in one transaction; see the contract."""
        runs = by_run(events)
        if not runs:
            return
        with self._translated("store events"):
            async with self._opened().pipeline(transaction=True) as pipe:
                for run_id, batch in runs.items():
                    for event in batch:
                        pipe.hsetnx(self._keys.events(run_id), str(event.seq), to_json(event))
                        if is_head(event):
                            pipe.hsetnx(self._keys.heads(run_id), str(event.seq), to_json(head_of(event)))
                    pipe.zadd(self._keys.runs, {run_id: 0.0})
                    pipe.zadd(self._keys.started, {run_id: min(event.at for event in batch)}, lt=True)
                    pipe.pexpire(self._keys.events(run_id), self._ttl_ms)
                    pipe.pexpire(self._keys.heads(run_id), self._ttl_ms)
                await pipe.execute()
        if any(event.body.kind == "run_started" for batch in runs.values() for event in batch):
            # The events are stored: a listing that is trimmed at the next run instead is no failure.
            with suppress(TraceStoreError):
                await self._forget_vanished()

    async def read(self, run_id: str, after: int = -1) -> AsyncGenerator[TraceEvent, None]:
        """The events of a run in order, read in pages; see the contract."""
        key = self._keys.events(run_id)
        with self._translated("read a run"):
            fields = cast("list[str]", await self._opened().hkeys(key))
        if not fields:
            raise RunNotFound(run_id)
        seqs = sorted(seq for seq in map(int, fields) if seq > after)
        for start in range(0, len(seqs), PAGE_EVENTS):
            page = [str(seq) for seq in seqs[start : start + PAGE_EVENTS]]
            with self._translated("read a run"):
                texts = cast("list[str | None]", await self._opened().hmget(key, page))
            for text in texts:
                if text is None:
                    raise RunNotFound(run_id)
                yield parse_event(text, self.location)

    async def runs(self, limit: int = 50, before: str | None = None) -> list[RunSummary]:
        """The newest runs; see the contract. Runs that vanished since they were listed are left out."""
        found: list[RunSummary] = []
        while len(found) < limit:
            end = "+" if before is None else f"({before}"
            wanted = limit - len(found)
            with self._translated("list runs"):
                ids = await self._opened().zrevrangebylex(self._keys.runs, end, "-", start=0, num=wanted)
            page = cast("list[str]", ids)
            found += await self._summaries(page)
            if len(page) < wanted:
                break
            before = page[-1]
        return found

    async def claim(self, run_id: str, holder: str, for_s: float) -> float:
        """Make the run `holder`'s; see the contract."""
        with self._translated("claim a run"):
            left_ms = await self._opened().eval(
                CLAIM, 1, self._keys.holder(run_id), holder, str(math.ceil(for_s * 1000))
            )
        return int(left_ms) / 1000

    async def expire(self, older_than_s: float) -> int:
        """Delete old runs; see the contract."""
        deleted = 0
        for page in _pages(await self._started_before(time.time() - older_than_s)):
            with self._translated("delete old runs"):
                async with self._opened().pipeline(transaction=True) as pipe:
                    for run_id in page:
                        pipe.delete(self._keys.events(run_id))
                    pipe.delete(*(self._keys.heads(run_id) for run_id in page))
                    pipe.zrem(self._keys.runs, *page)
                    pipe.zrem(self._keys.started, *page)
                    deleted += sum((await pipe.execute())[: len(page)])
        return deleted

    async def __aenter__(self) -> Self:
        """Connect; see the contract."""
        with self._translated("be reached"):
            client = Redis.from_url(
                self._config.url.get_secret_value(),
                decode_responses=True,
                socket_timeout=SOCKET_TIMEOUT_S,
                socket_connect_timeout=SOCKET_TIMEOUT_S,
                # One retry: a pooled connection is found dead only by using it. Patience is the writer's business.
                retry=Retry(ConstantBackoff(0.05), 1),
            )
        try:
            with self._translated("be reached"):
                await client.ping()
        except BaseException:
            await client.aclose()
            raise
        self._client = client
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @property
    def _ttl_ms(self) -> int:
        return math.ceil(self._config.ttl_s * 1000)

    async def _summaries(self, run_ids: Sequence[str]) -> list[RunSummary]:
        """Summaries of those of `run_ids` that still exist, in one round trip."""
        if not run_ids:
            return []
        with self._translated("list runs"):
            async with self._opened().pipeline(transaction=False) as pipe:
                for run_id in run_ids:
                    pipe.exists(self._keys.events(run_id))
                    pipe.zscore(self._keys.started, run_id)
                    pipe.hgetall(self._keys.heads(run_id))
                answers = await pipe.execute()
        found = []
        for run_id, (exists, started_at, heads) in zip(run_ids, _triples(answers), strict=True):
            if exists and started_at is not None:
                texts = [text for _, text in sorted(heads.items(), key=lambda item: int(item[0]))]
                events = [parse_event(text, self.location) for text in texts]
                found.append(fold_summary(run_id, float(started_at), events))
        return found

    async def _started_before(self, unix_s: float, most: int | None = None) -> list[str]:
        with self._translated("list old runs"):
            ids = await self._opened().zrangebyscore(
                self._keys.started, "-inf", f"({unix_s!r}", start=None if most is None else 0, num=most
            )
        return cast("list[str]", ids)

    async def _forget_vanished(self) -> None:
        """Take runs whose keys have expired off the listing, a few at a time."""
        old = await self._started_before(time.time() - self._config.ttl_s, TRIM_RUNS)
        if not old:
            return
        with self._translated("trim the listing"):
            async with self._opened().pipeline(transaction=False) as pipe:
                for run_id in old:
                    pipe.exists(self._keys.events(run_id))
                gone = [run_id for run_id, exists in zip(old, await pipe.execute(), strict=True) if not exists]
            if gone:
                async with self._opened().pipeline(transaction=True) as pipe:
                    pipe.zrem(self._keys.runs, *gone)
                    pipe.zrem(self._keys.started, *gone)
                    await pipe.execute()

    def _opened(self) -> Redis:
        if self._client is None:
            raise TraceStoreError(f"trace store {self.location} is not open: use it within `async with`")
        return self._client

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            raise TraceStoreError(f"trace store {self.location} cannot {action}: {error}") from error


def _pages(run_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(run_ids), PAGE_EVENTS):
        yield run_ids[start : start + PAGE_EVENTS]


def _triples(answers: Sequence[object]) -> Iterator[tuple[int, float | None, dict[str, str]]]:
    """The answers to `EXISTS`, `ZSCORE`, `HGETALL`, three for each run."""
    for start in range(0, len(answers), 3):
        exists, started_at, heads = answers[start : start + 3]
        yield cast("int", exists), cast("float | None", started_at), cast("dict[str, str]", heads)
