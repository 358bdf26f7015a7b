"""Runs that live as long as their client: one that leaves cancels its run, down to the engine and the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from abaci.api.errors import problem_of
from abaci.errors import AbaciError, BackendUnavailable
from abaci.traces.codec import to_json
from abaci.traces.fold import fold_solution
from abaci.types import Solution, TraceEvent

KEEP_ALIVE_S = 15
SEND_TIMEOUT_S = 60.0
"""A client that takes no byte for this long has left."""
CANCEL_TIMEOUT_S = 30.0
"""How long a cancelled run may take to release what it holds."""
MAX_WAITING_EVENTS = 1024


STOPPING = "the service is stopping and has cancelled this run; try again"


class LiveRuns:
    """The runs in progress, each in a task of its own."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None] | asyncio.Task[Solution]] = set()

    def add(self, task: asyncio.Task[None] | asyncio.Task[Solution]) -> None:
        """Note a run; it is forgotten when its task ends."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Cancel every run; its client is told that the service is stopping."""
        for task in self._tasks:
            task.cancel()


async def solve_while_connected(
    request: Request, work: Coroutine[None, None, Solution], runs: LiveRuns
) -> Solution | None:
    """The solution that `work` gives; None: the client left, and `work` was cancelled.

    Raises:
        AbaciError: as `work` does.
        BackendUnavailable: the service is stopping.
    """
    solving = asyncio.create_task(work, name="solve")
    watching = asyncio.create_task(_until_gone(request), name="watch client")
    runs.add(solving)
    try:
        await asyncio.wait({solving, watching}, return_when=asyncio.FIRST_COMPLETED)
        if solving.cancelled():
            raise BackendUnavailable(STOPPING)
        return solving.result() if solving.done() else None
    finally:
        await _cancel(solving, watching)


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _cancel(*tasks: asyncio.Task[None] | asyncio.Task[Solution]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=CANCEL_TIMEOUT_S)


class EventFeed:
    """The events of a run, taken from its generator by a task of their own.

    The task is what makes cancelling safe: a response is cancelled again at each `await`, also at those with which a
    run would clean up behind itself, but this task is cancelled once and then waited for.
    """

    def __init__(self, events: AsyncGenerator[TraceEvent, None], runs: LiveRuns) -> None:
        self._sender, self._receiver = anyio.create_memory_object_stream[TraceEvent](MAX_WAITING_EVENTS)
        self._task = asyncio.create_task(self._pump(events), name="run")
        runs.add(self._task)

    async def first(self) -> TraceEvent:
        """The first event.

        Raises:
            AbaciError: the run could not begin.
        """
        event = await self.next()
        if event is None:
            raise AbaciError("the run ended before it began")
        return event

    async def next(self) -> TraceEvent | None:
        """The event that follows; None: the run has ended.

        Raises:
            AbaciError: the run broke.
            BackendUnavailable: the service is stopping.
        """
        try:
            return await self._receiver.receive()
        except anyio.EndOfStream:
            await asyncio.wait({self._task})
            if self._task.cancelled():
                raise BackendUnavailable(STOPPING) from None
            self._task.result()
            return None

    async def close(self) -> None:
        """Cancel the run if it goes on, and wait until it has let go of everything."""
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=CANCEL_TIMEOUT_S)
        self._receiver.close()

    async def _pump(self, events: AsyncGenerator[TraceEvent, None]) -> None:
        with self._sender:
            async with aclosing(events):
                async for event in events:
                    await self._sender.send(event)


class RunStream(EventSourceResponse):
    """Server-sent events of a run: each `TraceEvent` under its kind, then the `solution`, or an `error`.

    Stored events have their `seq` for an id. A comment every `KEEP_ALIVE_S` seconds keeps the connection open.
    """

    def __init__(self, feed: EventFeed, first: TraceEvent) -> None:
        super().__init__(_messages(feed, first), ping=KEEP_ALIVE_S, send_timeout=SEND_TIMEOUT_S, sep="\n")
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until the run ends or the client leaves."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._feed.close()


async def open_stream(events: AsyncGenerator[TraceEvent, None], runs: LiveRuns) -> RunStream:
    """The response that streams `events`, once the run has begun.

    Raises:
        AbaciError: the run could not begin, so that the response can still be an error.
    """
    feed = EventFeed(events, runs)
    try:
        return RunStream(feed, await feed.first())
    except BaseException:
        await feed.close()
        raise


async def _messages(feed: EventFeed, first: TraceEvent) -> AsyncIterator[ServerSentEvent]:
    stored: list[TraceEvent] = []
    event: TraceEvent | None = first
    try:
        while event is not None:
            if event.is_stored:
                stored.append(event)
            yield _message(event)
            event = await feed.next()
    except AbaciError as error:
        yield ServerSentEvent(to_json(problem_of(error)), event="error", sep="\n")
    else:
        yield ServerSentEvent(to_json(fold_solution(stored)), event="solution", sep="\n")


def _message(event: TraceEvent) -> ServerSentEvent:
    seq = str(event.seq) if event.is_stored else None
    return ServerSentEvent(to_json(event), event=event.body.kind, id=seq, sep="\n")
