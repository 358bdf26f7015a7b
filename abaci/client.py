"""The SDK for a remote server: `Client` for plain code, `AsyncClient` for asyncio. Needs `httpx` only.

    with Client("http://127.0.0.1:8000") as client:
        print(client.solve("What is 6 · 7?").answer)

Errors are those of `abaci.errors`, as the server raised them; a server that cannot be reached is `BackendUnavailable`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from typing import Self, TypeVar

import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError
from pydantic import BaseModel, JsonValue, ValidationError

from abaci import errors
from abaci.agents.options import SolveOptions
from abaci.types import Problem, RunSummary, Solution, TraceEvent

M = TypeVar("M", bound=BaseModel)

DEFAULT_URL = "http://127.0.0.1:8000"
CONNECT_TIMEOUT_S = 10.0
SILENCE_TIMEOUT_S = 60.0
"""How long a server may send nothing. It sends a comment every 15 s while it works, however long a run takes."""

_JSON = {"Content-Type": "application/json"}
_STREAMED = b'{"stream": true}'
_TIMEOUT = httpx.Timeout(SILENCE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)


class AsyncClient:
    """A remote server, for asyncio. Use as `async with`.

    Args:
        base_url: the server's address.
        headers: sent with every request.
    """

    def __init__(self, base_url: str = DEFAULT_URL, *, headers: Mapping[str, str] | None = None) -> None:
        self._url = _checked(base_url)
        self._http = httpx.AsyncClient(base_url=base_url, headers=headers, timeout=_TIMEOUT)

    async def solve(self, problem: Problem | str, options: SolveOptions | None = None) -> Solution:
        """Solve one problem. Options left out, also fields of `budget` and `sampling`, are the server's.

        Cancelling the call cancels the run on the server.

        Raises:
            InvalidInput: the question or an option cannot be used.
            BackendUnavailable: the server cannot be reached, or broke off.
            AbaciError: any other failure on the server, by its class.
        """
        async with self.stream(problem, options) as events:
            return await events.result()

    def stream(
        self, problem: Problem | str, options: SolveOptions | None = None
    ) -> AbstractAsyncContextManager[AsyncEvents]:
        """The events of a run as they happen; leaving the context early cancels the run. Raises as `solve` does."""
        return self._events("/v1/solve", _body(problem, options))

    async def resume(self, run_id: str) -> Solution:
        """Go on with a stored run that was killed or cancelled, or that failed before a decision.

        Cancelling the call cancels the run on the server.

        Raises:
            RunNotFound: there is no such run.
            RunInProgress: it is being worked on.
            AbaciError: any other failure on the server, by its class.
        """
        async with self.stream_resumed(run_id) as events:
            return await events.result()

    def stream_resumed(self, run_id: str) -> AbstractAsyncContextManager[AsyncEvents]:
        """The stored events of a run, then those that follow as it goes on. As `resume` and `stream`."""
        return self._events(f"/v1/runs/{_segment(run_id)}/resume", _STREAMED)

    async def run(self, run_id: str) -> Solution:
        """A stored run, as far as it has come.

        Raises:
            RunNotFound: there is no such run.
        """
        return await self._get(f"/v1/runs/{_segment(run_id)}", {}, Solution)

    async def runs(self, limit: int = 50, before: str | None = None) -> list[RunSummary]:
        """At most `limit` stored runs, newest first, older than the run id `before` where given."""
        return list((await self._get("/v1/runs", _page(limit, before), _RunPage)).runs)

    async def __aenter__(self) -> Self:
        """Nothing is sent yet."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close all connections."""
        await self._http.aclose()

    @asynccontextmanager
    async def _events(self, path: str, body: bytes) -> AsyncIterator[AsyncEvents]:
        async with AsyncExitStack() as stack:
            with _translated(self._url):
                request = self._http.stream("POST", path, content=body, headers=_JSON)
                response = await stack.enter_async_context(request)
                if response.is_error:
                    await response.aread()
                    raise error_of(response.status_code, response.text)
            yield AsyncEvents(EventSource(response), self._url)

    async def _get(self, path: str, query: Mapping[str, str], kind: type[M]) -> M:
        with _translated(self._url):
            response = await self._http.get(path, params=dict(query))
        return _answer(response, kind)


class Client:
    """A remote server, for code without asyncio. Use as `with`; arguments and errors are those of `AsyncClient`."""

    def __init__(self, base_url: str = DEFAULT_URL, *, headers: Mapping[str, str] | None = None) -> None:
        self._url = _checked(base_url)
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=_TIMEOUT)

    def solve(self, problem: Problem | str, options: SolveOptions | None = None) -> Solution:
        """Solve one problem; see `AsyncClient.solve`."""
        with self.stream(problem, options) as events:
            return events.result()

    def stream(self, problem: Problem | str, options: SolveOptions | None = None) -> AbstractContextManager[Events]:
        """The events of a run as they happen; leaving the context early cancels the run."""
        return self._events("/v1/solve", _body(problem, options))

    def resume(self, run_id: str) -> Solution:
        """Go on with a stored run that broke off; see `AsyncClient.resume`."""
        with self.stream_resumed(run_id) as events:
            return events.result()

    def stream_resumed(self, run_id: str) -> AbstractContextManager[Events]:
        """The stored events of a run, then those that follow as it goes on; see `AsyncClient.stream_resumed`."""
        return self._events(f"/v1/runs/{_segment(run_id)}/resume", _STREAMED)

    def run(self, run_id: str) -> Solution:
        """A stored run; see `AsyncClient.run`."""
        return self._get(f"/v1/runs/{_segment(run_id)}", {}, Solution)

    def runs(self, limit: int = 50, before: str | None = None) -> list[RunSummary]:
        """At most `limit` stored runs, newest first, older than the run id `before` where given."""
        return list(self._get("/v1/runs", _page(limit, before), _RunPage).runs)

    def __enter__(self) -> Self:
        """Nothing is sent yet."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close all connections."""
        self._http.close()

    @contextmanager
    def _events(self, path: str, body: bytes) -> Iterator[Events]:
        with ExitStack() as stack:
            with _translated(self._url):
                response = stack.enter_context(self._http.stream("POST", path, content=body, headers=_JSON))
                if response.is_error:
                    response.read()
                    raise error_of(response.status_code, response.text)
            yield Events(EventSource(response), self._url)

    def _get(self, path: str, query: Mapping[str, str], kind: type[M]) -> M:
        with _translated(self._url):
            response = self._http.get(path, params=dict(query))
        return _answer(response, kind)


class _Reading:
    """What a stream has told so far."""

    def __init__(self, source: EventSource, url: str) -> None:
        self._source = source
        self._url = url
        self.solution: Solution | None = None

    def _note(self, message: ServerSentEvent) -> bool:
        """Whether `message` tells of the end; raises when that is an error."""
        if message.event == "error":
            raise error_of(500, message.data)
        if message.event == "solution":
            self.solution = _parse(message.data, Solution)
        return self.solution is not None

    def _end(self) -> Solution:
        if self.solution is None:
            raise errors.BackendUnavailable(f"the abaci server at {self._url} broke off before the run had ended")
        return self.solution


class AsyncEvents(_Reading):
    """The `TraceEvent`s of a run, to iterate over once; `solution` is there when they have ended."""

    async def __aiter__(self) -> AsyncIterator[TraceEvent]:
        """The events, in order."""
        with _translated(self._url):
            async for message in self._source.aiter_sse():
                if not self._note(message):
                    yield _parse(message.data, TraceEvent)
        self._end()

    async def result(self) -> Solution:
        """The solution, once the run has ended; the events on the way are not looked at."""
        with _translated(self._url):
            async for message in self._source.aiter_sse():
                self._note(message)
        return self._end()


class Events(_Reading):
    """The `TraceEvent`s of a run, to iterate over once; `solution` is there when they have ended."""

    def __iter__(self) -> Iterator[TraceEvent]:
        """The events, in order."""
        with _translated(self._url):
            for message in self._source.iter_sse():
                if not self._note(message):
                    yield _parse(message.data, TraceEvent)
        self._end()

    def result(self) -> Solution:
        """The solution, once the run has ended; the events on the way are not looked at."""
        with _translated(self._url):
            for message in self._source.iter_sse():
                self._note(message)
        return self._end()


class _RunPage(BaseModel):
    runs: tuple[RunSummary, ...]


def error_of(status: int, body: str) -> errors.AbaciError:
    """The error that a problem body tells of, by its class; a body that tells of none is judged by `status`."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {}
    detail = str(problem.get("detail") or f"the server answered {status}: {body[:200]!r}")
    kind = _CLASSES.get(str(problem.get("type", "")).removeprefix("urn:abaci:"))
    match kind:
        case errors.RunNotFound | errors.RunInProgress:
            return kind(str(problem.get("run_id", "")))
        case errors.ContextLengthExceeded:
            return errors.ContextLengthExceeded(_count(problem, "prompt_tokens"), _count(problem, "context_length"))
        case errors.InvalidInput:
            return errors.InvalidInput(detail, field=_field(problem))
        case None:
            is_passing = status >= 500 or status == 429
            return errors.BackendUnavailable(detail) if is_passing else errors.BackendRejected(detail)
        case _:
            return kind(detail)


def _subclasses(kind: type[errors.AbaciError]) -> Iterator[type[errors.AbaciError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _subclasses(below)


_CLASSES = {kind.__name__: kind for kind in _subclasses(errors.AbaciError) if kind.__module__ == errors.__name__}


def _count(problem: Mapping[str, JsonValue], name: str) -> int:
    value = problem.get(name)
    return value if isinstance(value, int) else 0


def _field(problem: Mapping[str, JsonValue]) -> str | None:
    """The field that a problem names, or the first of those it lists."""
    listed = problem.get("errors")
    if isinstance(listed, list) and listed and isinstance(listed[0], dict):
        return str(listed[0].get("field"))
    return str(problem["field"]) if problem.get("field") else None


def _body(problem: Problem | str, options: SolveOptions | None) -> bytes:
    """A request to solve: what the caller set, and nothing else, so that the server's defaults count."""
    chosen = options or SolveOptions()
    payload = chosen.model_dump(mode="json", exclude_unset=True)
    if "aggregator" in chosen.model_fields_set:
        payload["aggregator"] = chosen.aggregator.model_dump(mode="json")
    asked = {"question": problem} if isinstance(problem, str) else {"question": problem.question, "kind": problem.kind}
    # ASCII, so that any text can be sent: the server says what it does not take.
    return json.dumps({**payload, **asked, "stream": True}).encode("ascii")


def _page(limit: int, before: str | None) -> dict[str, str]:
    return {"limit": str(limit)} | ({} if before is None else {"before": before})


def _checked(url: str) -> str:
    """`url`, which must be a server's.

    Raises:
        InvalidInput: it is not.
    """
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise errors.InvalidInput(f"{url!r} is no server address: {error}", field="base_url") from error
    if parts.scheme not in {"http", "https"} or not parts.host:
        raise errors.InvalidInput(
            f"{url!r} is no server address: write it like http://127.0.0.1:8000", field="base_url"
        )
    return url


def _segment(run_id: str) -> str:
    """`run_id`, which must be one path segment.

    Raises:
        RunNotFound: it is none, so no run can have it.
    """
    if not run_id or not all(char.isalnum() or char in "_-" for char in run_id):
        raise errors.RunNotFound(run_id)
    return run_id


def _answer(response: httpx.Response, kind: type[M]) -> M:
    if response.is_error:
        raise error_of(response.status_code, response.text)
    return _parse(response.text, kind)


def _parse(text: str, kind: type[M]) -> M:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise errors.BackendRejected(
            f"the server's answer is no {kind.__name__} of this version of abaci ({where}: {first['msg']}); "
            "it may be newer than this client, or no abaci server"
        ) from error


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except SSEError as error:
        raise errors.BackendRejected(f"{url} is no abaci server: {error}") from error
    except httpx.HTTPError as error:
        cause = str(error) or type(error).__name__
        raise errors.BackendUnavailable(f"the abaci server at {url} cannot be reached or broke off: {cause}") from error
