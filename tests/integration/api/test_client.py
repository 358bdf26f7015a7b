from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time

import pytest

from abaci.agents.options import SolveOptions
from abaci.aggregation.config import SelfConsistencyConfig
from abaci.client import AsyncClient, Client
from abaci.errors import (
    BackendRejected,
    BackendUnavailable,
    ContextLengthExceeded,
    InvalidInput,
    RunInProgress,
    RunNotFound,
)
from abaci.traces.memory import MemoryTraceStore
from abaci.types import Budget, Problem, RunStarted, Sampling, TraceEvent, new_run_id


async def test_a_problem_is_solved(url: str) -> None:
    async with AsyncClient(url) as client:
        solution = await client.solve("1 + 1?")
        assert (solution.answer, solution.question) == ("2", "1 + 1?")
        assert await client.run(solution.run_id) == solution
        assert [run.run_id for run in await client.runs()] == [solution.run_id]


async def test_a_problem_is_solved_without_asyncio(url: str) -> None:
    def ask() -> None:
        with Client(url) as client:
            solution = client.solve("1 + 1?")
            assert (solution.answer, solution.question) == ("2", "1 + 1?")
            assert client.run(solution.run_id) == solution
            assert [run.run_id for run in client.runs()] == [solution.run_id]

    await asyncio.to_thread(ask)


async def test_a_stream_gives_the_events_and_then_the_solution(url: str) -> None:
    async with AsyncClient(url) as client, client.stream("1 + 1?") as events:
        kinds = [event.body.kind async for event in events]
    assert (kinds[0], kinds[2], kinds[-1]) == ("run_started", "text_delta", "run_finished")
    assert events.solution is not None
    assert events.solution.answer == "2"


async def test_a_stream_gives_the_same_without_asyncio(url: str) -> None:
    def ask() -> tuple[list[TraceEvent], str | None]:
        with Client(url) as client, client.stream("1 + 1?") as events:
            told = list(events)
        return told, events.solution.answer if events.solution else None

    told, answer = await asyncio.to_thread(ask)
    assert (told[0].body.kind, told[-1].body.kind, answer) == ("run_started", "run_finished", "2")


async def test_only_the_options_that_are_set_are_sent(url: str, solver) -> None:
    options = SolveOptions(
        aggregator=SelfConsistencyConfig(), budget=Budget(samples=3), sampling=Sampling(temperature=0.1)
    )
    async with AsyncClient(url) as client:
        await client.solve("1 + 1?", options)
    assert (solver.options.style, solver.options.budget.samples, solver.options.sampling.temperature) == (
        "house",
        3,
        0.1,
    )


async def test_a_run_is_resumed(url: str, store: MemoryTraceStore) -> None:
    run_ids = [new_run_id(), new_run_id()]
    body = RunStarted(problem=Problem(question="1 + 1?"), model="tiny")
    await store.append([TraceEvent(run_id=run_id, seq=0, at=0.0, body=body) for run_id in run_ids])
    async with AsyncClient(url) as client:
        solution = await client.resume(run_ids[0])
        assert (solution.run_id, solution.answer) == (run_ids[0], "2")
        with pytest.raises(RunInProgress) as caught:
            await client.resume(run_ids[0])
        assert caught.value.run_id == run_ids[0]
        for unknown in (new_run_id(), "../x"):
            with pytest.raises(RunNotFound):
                await client.resume(unknown)

    def ask() -> list[str]:
        with Client(url) as client, client.stream_resumed(run_ids[1]) as events:
            kinds = [event.body.kind for event in events]
            with pytest.raises(RunInProgress):
                client.resume(run_ids[1])
        return kinds

    assert (await asyncio.to_thread(ask))[:2] == ["run_started", "run_resumed"]


async def test_the_kind_of_a_problem_is_sent(url: str, store: MemoryTraceStore) -> None:
    async with AsyncClient(url) as client:
        solution = await client.solve(Problem(question="How do primes thin out?", kind="long_form"))
    stored = [event.body async for event in store.read(solution.run_id)]
    assert isinstance(stored[0], RunStarted)
    assert stored[0].problem.kind == "long_form"


@pytest.mark.parametrize(
    ("question", "kind"), [("break", BackendUnavailable), ("too long", ContextLengthExceeded), (" ", InvalidInput)]
)
async def test_an_error_of_the_server_is_raised_by_its_class(url: str, question: str, kind: type[Exception]) -> None:
    async with AsyncClient(url) as client:
        with pytest.raises(kind):
            await client.solve(question)
        with pytest.raises(kind):
            await iterate(client, question)

    def ask() -> None:
        with Client(url) as client:
            with pytest.raises(kind):
                client.solve(question)
            with pytest.raises(kind), client.stream(question) as events:
                list(events)

    await asyncio.to_thread(ask)


async def iterate(client: AsyncClient, question: str) -> None:
    async with client.stream(question) as events:
        async for _ in events:
            pass


async def test_a_refused_field_is_named(url: str) -> None:
    async with AsyncClient(url) as client:
        with pytest.raises(InvalidInput, match="question: ") as caught:
            await client.solve("")
        assert caught.value.field == "question"


@pytest.mark.parametrize("question", ["\ud800", "x" * 3_000_000])
async def test_a_question_that_cannot_be_sent_is_refused(url: str, question: str) -> None:
    async with AsyncClient(url) as client:
        with pytest.raises((InvalidInput, BackendRejected)):
            await client.solve(question)


@pytest.mark.parametrize("run_id", [f"run_{0:024x}", "nonsense", "../ready", ""])
async def test_an_unknown_run_is_not_found(url: str, run_id: str) -> None:
    async with AsyncClient(url) as client:
        with pytest.raises(RunNotFound) as caught:
            await client.run(run_id)
        assert caught.value.run_id == run_id


async def test_leaving_a_stream_early_cancels_the_run(url: str, solver) -> None:
    async with AsyncClient(url) as client, client.stream("hang") as events:
        async for _ in events:
            break
    await asyncio.wait_for(solver.released.wait(), 10)
    assert not solver.is_finished


async def test_cancelling_a_call_cancels_the_run(url: str, solver) -> None:
    async with AsyncClient(url) as client:
        asking = asyncio.create_task(client.solve("hang"))
        await asyncio.wait_for(solver.started.wait(), 10)
        asking.cancel()
        await asyncio.wait({asking})
        await asyncio.wait_for(solver.released.wait(), 10)


async def test_errors_of_the_callers_own_are_left_alone(url: str) -> None:
    async with AsyncClient(url) as client:
        with pytest.raises(ZeroDivisionError):
            async with client.stream("1 + 1?"):
                raise ZeroDivisionError


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        async with AsyncClient(url) as client:
            with pytest.raises(BackendUnavailable, match=f"the abaci server at {url} cannot be reached"):
                await client.solve("1 + 1?")
            with pytest.raises(BackendUnavailable, match=f"the abaci server at {url} cannot be reached"):
                await client.runs()


async def answering(payload: bytes) -> asyncio.Server:
    """A server that gives every connection `payload` and closes it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(payload)
        await writer.drain()
        writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", 0)


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


@pytest.mark.parametrize(
    ("payload", "kind", "message"),
    [
        (STREAM + b"Content-Length: 9\r\n\r\n: hello\n\n", BackendUnavailable, "broke off before the run had ended"),
        (STREAM + b"Transfer-Encoding: chunked\r\n\r\n", BackendUnavailable, "cannot be reached or broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", BackendRejected, "is no abaci server"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nhi", BackendRejected, "answered 404: 'hi'"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n[]", BackendUnavailable, "answered 502"),
        (
            STREAM + b"Content-Length: 26\r\n\r\nevent: solution\ndata: {}\n\n",
            BackendRejected,
            "no Solution of this version",
        ),
    ],
)
async def test_a_server_that_does_not_behave_is_an_error(payload: bytes, kind: type[Exception], message: str) -> None:
    async with await answering(payload) as server:
        port = server.sockets[0].getsockname()[1]
        async with AsyncClient(f"http://127.0.0.1:{port}") as client:
            with pytest.raises(kind, match=message):
                await client.solve("1 + 1?")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "http://", "http://a:port", "ftp://a", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="no server address"):
        Client(url)


def test_the_client_loads_no_server() -> None:
    code = (
        "import abaci.client, sys; print(sorted({'fastapi', 'starlette', 'uvicorn', 'langgraph'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_slow_run_is_waited_for_as_long_as_the_server_shows_signs_of_life(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abaci.api.live.KEEP_ALIVE_S", 0.1)
    async with AsyncClient(url) as client:
        client._http.timeout = 0.5
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.solve("hang"), 1.5)
        assert time.monotonic() - began > 1.4
