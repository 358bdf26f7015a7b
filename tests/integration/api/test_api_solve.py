from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from httpx_sse import ServerSentEvent, aconnect_sse

from abaci.traces.memory import MemoryTraceStore
from abaci.types import Budget, RunStatus, Solution, TraceEvent

PROBLEM_TYPE = "application/problem+json"


async def streamed(http: httpx.AsyncClient, question: str) -> list[ServerSentEvent]:
    async with aconnect_sse(http, "POST", "/v1/solve", json={"question": question, "stream": True}) as source:
        return [message async for message in source.aiter_sse()]


async def test_a_problem_is_solved(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/solve", json={"question": "1 + 1?"})
    assert response.status_code == 200
    solution = Solution.model_validate_json(response.text)
    assert (solution.answer, solution.status, solution.question) == ("2", RunStatus.SOLVED, "1 + 1?")


async def test_options_left_out_are_the_servers(http: httpx.AsyncClient, solver) -> None:
    await http.post("/v1/solve", json={"question": "1 + 1?", "budget": {"samples": 3}})
    assert (solver.options.style, solver.options.budget) == ("house", Budget(samples=3))


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({}, "question", "Field required"),
        ({"question": " \n"}, "question", "nothing in it but blanks"),
        ({"question": 3}, "question", "valid string"),
        ({"question": "x" * 100_001}, "question", "at most 100000 characters"),
        ({"question": "x", "budget": {"samples": 0}}, "budget.samples", "greater than or equal to 1"),
        ({"question": "x", "budgets": {}}, "budgets", "not permitted"),
        ({"question": "x", "aggregator": {"kind": "dice"}}, "aggregator", "Input"),
        ({"question": "\ud800"}, "question", "unicode"),
    ],
)
async def test_a_request_that_cannot_be_used_says_which_field_and_why(
    http: httpx.AsyncClient, body: dict[str, object], field: str, message: str
) -> None:
    response = await http.post("/v1/solve", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert (response.status_code, response.headers["content-type"]) == (422, PROBLEM_TYPE)
    problem = response.json()
    assert problem["type"] == "urn:abaci:InvalidInput"
    (error,) = [error for error in problem["errors"] if error["field"].startswith(field)]
    assert message in error["message"] or message in json.dumps(problem)


@pytest.mark.parametrize(
    "text", ['{"question": ', "[" * 100_000, "", "null", '{"question": "x", "budget": {"wall_s": Infinity}}']
)
async def test_a_body_that_is_no_request_is_refused(http: httpx.AsyncClient, text: str) -> None:
    response = await http.post("/v1/solve", content=text, headers={"Content-Type": "application/json"})
    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == PROBLEM_TYPE
    assert response.json()["detail"]


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_huge_body_is_refused(http: httpx.AsyncClient, is_chunked: bool) -> None:
    body = json.dumps({"question": "x" * 3_000_000}).encode()

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    content = chunks() if is_chunked else body
    response = await http.post("/v1/solve", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert "longer than 2097152 bytes" in response.json()["detail"]
    assert (await http.get("/health")).status_code == 200


async def test_the_longest_question_is_taken_however_it_is_written(http: httpx.AsyncClient) -> None:
    response = await http.post(
        "/v1/solve", content=json.dumps({"question": "𝟚" * 100_000}), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 200


async def test_a_stream_tells_every_event_and_ends_with_the_solution(
    http: httpx.AsyncClient, store: MemoryTraceStore
) -> None:
    *messages, last = await streamed(http, "1 + 1?")
    events = [TraceEvent.model_validate_json(message.data) for message in messages]
    assert [message.event for message in messages] == [event.body.kind for event in events]
    assert events[0].body.kind == "run_started"
    assert events[-1].body.kind == "run_finished"
    assert last.event == "solution"
    solution = Solution.model_validate_json(last.data)
    assert (solution.answer, solution.run_id) == ("2", events[0].run_id)
    assert [event async for event in store.read(solution.run_id)] == [event for event in events if event.is_stored]


async def test_stored_events_have_their_seq_for_an_id(http: httpx.AsyncClient) -> None:
    async with http.stream("POST", "/v1/solve", json={"question": "1 + 1?", "stream": True}) as response:
        blocks = (await response.aread()).decode().split("\n\n")
    ids = [line for block in blocks for line in block.split("\n") if line.startswith("id:")]
    assert ids == [f"id: {seq}" for seq in range(6)]


async def test_line_separators_of_unicode_survive_a_stream(http: httpx.AsyncClient) -> None:
    question = "a\u2028b\u2029c\x85d\x0be\r\nf"
    last = (await streamed(http, question))[-1]
    assert Solution.model_validate_json(last.data).question == question


async def test_a_stream_is_kept_alive_by_comments(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abaci.api.live.KEEP_ALIVE_S", 0.02)
    async with http.stream("POST", "/v1/solve", json={"question": "hang", "stream": True}) as response:
        async with asyncio.timeout(10):
            async for line in response.aiter_lines():
                if line.startswith(": ping"):
                    return


async def test_a_run_that_cannot_begin_is_an_error_also_when_streamed(http: httpx.AsyncClient) -> None:
    for stream in (False, True):
        response = await http.post("/v1/solve", json={"question": "too long", "stream": stream})
        problem = response.json()
        assert (response.status_code, problem["type"]) == (422, "urn:abaci:ContextLengthExceeded")
        assert (problem["prompt_tokens"], problem["context_length"]) == (5000, 4096)


async def test_a_run_that_breaks_is_an_error(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/solve", json={"question": "break"})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.json()["detail"] == "the model server at 10.0.0.1 is down"


async def test_a_stream_that_breaks_ends_with_an_error(http: httpx.AsyncClient) -> None:
    *_, before, last = await streamed(http, "break")
    assert (before.event, last.event) == ("chain_started", "error")
    assert json.loads(last.data)["type"] == "urn:abaci:BackendUnavailable"


async def test_a_defect_is_an_error_that_tells_no_secret(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/solve", json={"question": "defect"})
    assert (response.status_code, response.headers["content-type"]) == (500, PROBLEM_TYPE)
    assert "secret" not in response.text
    assert response.json()["request_id"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("question", ["hang", "flood"])
async def test_a_client_that_leaves_cancels_its_run(url: str, solver, stream: bool, question: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    body = json.dumps({"question": question, "stream": stream}).encode()
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/solve HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    writer.write(f"{head}\r\n\r\n".encode() + body)
    await writer.drain()
    await asyncio.wait_for(solver.started.wait(), 10)
    await asyncio.sleep(0.05)
    assert not solver.released.is_set()
    writer.close()
    await asyncio.wait_for(solver.released.wait(), 10)
    assert not solver.is_finished
    assert not {"run", "solve"} & {task.get_name() for task in asyncio.all_tasks()}


async def test_many_problems_are_solved_at_once(http: httpx.AsyncClient) -> None:
    asked = [http.post("/v1/solve", json={"question": f"{n}?"}) for n in range(30)]
    answers = await asyncio.gather(*asked)
    assert [Solution.model_validate_json(answer.text).question for answer in answers] == [f"{n}?" for n in range(30)]
