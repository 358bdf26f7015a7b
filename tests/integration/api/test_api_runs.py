from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from abaci.agents.options import SolveOptions
from abaci.api.app import create_app
from abaci.api.server import Address, running
from abaci.errors import BackendUnavailable
from abaci.traces.memory import MemoryTraceStore
from abaci.types import Problem, RunStarted, Solution, TraceEvent, new_run_id


async def solved(http: httpx.AsyncClient, question: str = "1 + 1?") -> Solution:
    response = await http.post("/v1/solve", json={"question": question})
    return Solution.model_validate_json(response.text)


async def test_a_stored_run_is_the_solution_that_its_caller_got(http: httpx.AsyncClient) -> None:
    solution = await solved(http)
    response = await http.get(f"/v1/runs/{solution.run_id}")
    assert Solution.model_validate_json(response.text) == solution


async def broken_off(store: MemoryTraceStore) -> str:
    """A stored run that got no further than its start."""
    run_id = new_run_id()
    body = RunStarted(problem=Problem(question="1 + 1?"), model="tiny")
    await store.append([TraceEvent(run_id=run_id, seq=0, at=time.time(), body=body)])
    return run_id


@pytest.mark.parametrize("body", [None, {}, {"stream": False}])
async def test_a_run_that_broke_off_is_resumed(http: httpx.AsyncClient, store: MemoryTraceStore, body: object) -> None:
    run_id = await broken_off(store)
    response = await http.post(f"/v1/runs/{run_id}/resume", json=body)
    solution = Solution.model_validate_json(response.text)
    assert (response.status_code, solution.run_id, solution.answer) == (200, run_id, "2")
    assert (await http.get(f"/v1/runs/{run_id}")).text == response.text


async def test_a_resumed_stream_begins_with_the_stored_events(http: httpx.AsyncClient, store: MemoryTraceStore) -> None:
    run_id = await broken_off(store)
    response = await http.post(f"/v1/runs/{run_id}/resume", json={"stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    names = [line.removeprefix("event: ") for line in response.text.splitlines() if line.startswith("event: ")]
    assert (names[:3], names[-1]) == (["run_started", "run_resumed", "chain_started"], "solution")


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_run_that_goes_on_or_is_unknown_is_not_resumed(http: httpx.AsyncClient, is_streamed: bool) -> None:
    run_id = (await solved(http)).run_id
    for path, status, name in ((run_id, 409, "RunInProgress"), ("nonsense", 404, "RunNotFound")):
        response = await http.post(f"/v1/runs/{path}/resume", json={"stream": is_streamed})
        assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
        assert (response.json()["type"], response.json()["run_id"]) == (f"urn:abaci:{name}", path)


async def test_a_resumed_run_takes_no_other_options(http: httpx.AsyncClient, store: MemoryTraceStore) -> None:
    response = await http.post(f"/v1/runs/{await broken_off(store)}/resume", json={"budget": {"samples": 2}})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "budget")


async def test_an_unknown_run_is_not_found(http: httpx.AsyncClient) -> None:
    for path in ("/v1/runs/nonsense", "/v1/runs/nonsense/events"):
        response = await http.get(path)
        assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
        problem = response.json()
        assert (problem["type"], problem["run_id"]) == ("urn:abaci:RunNotFound", "nonsense")


async def test_runs_are_listed_page_by_page(http: httpx.AsyncClient) -> None:
    asked = []
    for n in range(5):
        asked.append((await solved(http, f"{n}?")).run_id)
        await asyncio.sleep(0.002)
    first = (await http.get("/v1/runs", params={"limit": 3})).json()
    assert [run["run_id"] for run in first["runs"]] == asked[:1:-1]
    second = (await http.get("/v1/runs", params={"limit": 3, "before": first["next_before"]})).json()
    assert [run["run_id"] for run in second["runs"]] == asked[1::-1]
    assert second["next_before"] is None


async def test_the_events_of_a_run_are_read_page_by_page(http: httpx.AsyncClient) -> None:
    run_id = (await solved(http)).run_id
    first = (await http.get(f"/v1/runs/{run_id}/events", params={"limit": 4})).json()
    assert [event["seq"] for event in first["events"]] == [0, 1, 2, 3]
    second = (await http.get(f"/v1/runs/{run_id}/events", params={"after": first["next_after"]})).json()
    assert [event["seq"] for event in second["events"]] == [4, 5]
    assert second["next_after"] is None


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("/v1/runs", "limit", 0),
        ("/v1/runs", "before", "x" * 101),
        ("/v1/runs/run_1/events", "after", 10**30),
        ("/v1/runs/run_1/events", "after", "x"),
    ],
)
async def test_a_parameter_that_makes_no_sense_is_refused_by_name(
    http: httpx.AsyncClient, path: str, field: str, value: object
) -> None:
    response = await http.get(path, params={field: str(value)})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == field


async def test_the_health_of_the_process_has_its_version(http: httpx.AsyncClient) -> None:
    assert (await http.get("/health")).json() == {"status": "ok", "version": "9.9"}


async def test_a_service_whose_dependencies_work_is_ready(http: httpx.AsyncClient) -> None:
    response = await http.get("/ready")
    assert (response.status_code, response.json()) == (200, {"status": "ready", "checks": {"traces": "ok"}})


async def test_a_service_with_a_broken_dependency_is_not_ready_and_says_which(solver) -> None:
    async def ask_backend() -> None:
        raise BackendUnavailable("no model server at 10.0.0.1")

    app = create_app(solver, MemoryTraceStore(), defaults=SolveOptions(), probes={"backend": ask_backend})
    async with running(app, Address(port=0)) as url, httpx.AsyncClient(base_url=url) as http:
        response = await http.get("/ready")
    assert response.status_code == 503
    assert response.json() == {
        "status": "not ready",
        "checks": {"traces": "ok", "backend": "no model server at 10.0.0.1"},
    }


async def test_the_request_id_of_a_client_is_echoed(http: httpx.AsyncClient) -> None:
    response = await http.get("/v1/runs/nonsense", headers={"X-Request-Id": "abc-1"})
    assert response.headers["X-Request-Id"] == response.json()["request_id"] == "abc-1"


async def test_a_request_id_that_could_forge_a_log_is_replaced(http: httpx.AsyncClient) -> None:
    response = await http.get("/health", headers={"X-Request-Id": "a b\tc"})
    assert len(response.headers["X-Request-Id"]) == 24


async def test_an_unknown_path_and_a_wrong_method_are_problems(http: httpx.AsyncClient) -> None:
    for response, status in ((await http.get("/v2"), 404), (await http.get("/v1/solve"), 405)):
        assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
        assert response.json()["status"] == status
