"""The routes: parse, one call, shape."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response

from abaci.agents.options import SolveOptions
from abaci.api.live import LiveRuns, open_stream, solve_while_connected
from abaci.api.schemas import EventPage, Health, ProblemDetail, Readiness, ResumeRequest, RunPage, SolveRequest
from abaci.errors import AbaciError, SettingsError
from abaci.traces.base import TraceStore
from abaci.traces.codec import to_json
from abaci.traces.fold import fold_solution
from abaci.types import Problem, Solution, TraceEvent, Value

PROBE_TIMEOUT_S = 3.0
CLIENT_LEFT = 499
"""Status of a response that nobody reads: the client left first."""

ANSWER_WHOLE = ResumeRequest()

Probe = Callable[[], Awaitable[object]]
"""Raises an `AbaciError` when what it asks does not work."""


class SolverLike(Protocol):
    """What the service needs of a solver; `abaci.agents.solver.Solver` has it."""

    async def solve(self, problem: Problem | str, options: SolveOptions | None = None) -> Solution:
        """Solve one problem; cancelling the call cancels the run."""
        ...

    def stream(self, problem: Problem | str, options: SolveOptions | None = None) -> AsyncGenerator[TraceEvent, None]:
        """The events of a run as they happen; closing the generator cancels the run."""
        ...

    async def resume(self, run_id: str) -> Solution:
        """Go on with a stored run that broke off; cancelling the call cancels the run."""
        ...

    def stream_resumed(self, run_id: str) -> AsyncGenerator[TraceEvent, None]:
        """The stored events of a run, then those that follow as it goes on; closing the generator cancels the run."""
        ...


@dataclass(frozen=True)
class Service:
    """What the routes work with, all of it open."""

    solver: SolverLike
    store: TraceStore
    version: str
    defaults: SolveOptions
    probes: Mapping[str, Probe] = field(default_factory=dict)
    live: LiveRuns = field(default_factory=LiveRuns)


def service_of(app: FastAPI) -> Service:
    """What the routes of `app` work with."""
    service = app.state.service
    if not isinstance(service, Service):
        raise SettingsError("the application was not made by `abaci.api.app.create_app`")
    return service


def _service(request: Request) -> Service:
    return service_of(request.app)


ServiceOf = Annotated[Service, Depends(_service)]
After = Annotated[int, Query(ge=-1, le=2**53, description="Only events with a greater `seq`.")]
Before = Annotated[str | None, Query(description="Only runs older than this run id.", max_length=100)]
Limit = Annotated[int, Query(ge=1, le=1000)]

Responses = dict[int | str, dict[str, Any]]

_PROBLEM: dict[str, Any] = {"model": ProblemDetail}
_PROBLEMS: Responses = {
    422: {"description": "The request cannot be used: `errors` says which field and why", **_PROBLEM},
    503: {"description": "Something the service depends on is down; try again after `Retry-After`", **_PROBLEM},
}
_NOT_FOUND: Responses = {404: {"description": "No such run", **_PROBLEM}, **_PROBLEMS}
_SOLVE_RESPONSES: Responses = {
    200: {
        "description": "The solution; or, with `stream`, one event for each thing that happens: its name is the kind of"
        " the `TraceEvent` in its data. The last is `solution`, or `error` with a problem.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    413: {"description": "The body is too long", **_PROBLEM},
    **_PROBLEMS,
}
_RESUME_RESPONSES: Responses = {
    **_SOLVE_RESPONSES,
    **_NOT_FOUND,
    409: {"description": "The run is going on: try again once it has ended", **_PROBLEM},
}

router = APIRouter()


@router.post("/v1/solve", tags=["solve"], response_model=Solution, responses=_SOLVE_RESPONSES)
async def solve(body: SolveRequest, request: Request, service: ServiceOf) -> Response:
    """Solve one problem. A client that closes the connection cancels its run."""
    options = body.options(service.defaults)
    if body.stream:
        return await open_stream(service.solver.stream(body.problem, options), service.live)
    return await _solution(service.solver.solve(body.problem, options), request, service)


@router.get("/v1/runs", tags=["runs"], response_model=RunPage, responses=_PROBLEMS)
async def list_runs(service: ServiceOf, limit: Limit = 50, before: Before = None) -> Response:
    """The stored runs, newest first."""
    found = await service.store.runs(limit + 1, before)
    page = tuple(found[:limit])
    return _json(RunPage(runs=page, next_before=page[-1].run_id if len(found) > limit else None))


@router.get("/v1/runs/{run_id}", tags=["runs"], response_model=Solution, responses=_NOT_FOUND)
async def get_run(run_id: str, service: ServiceOf) -> Response:
    """The solution of a stored run, as far as it has come."""
    return _json(fold_solution([event async for event in service.store.read(run_id)]))


@router.post("/v1/runs/{run_id}/resume", tags=["solve"], response_model=Solution, responses=_RESUME_RESPONSES)
async def resume_run(run_id: str, request: Request, service: ServiceOf, body: ResumeRequest = ANSWER_WHOLE) -> Response:
    """Go on with a stored run that was killed or cancelled, or that failed before a decision, as it was begun.

    Chains that had ended are not drawn again, nor are judges asked again that had replied. A stream begins with the
    events that are stored. Of a run that is over, its solution. A client that closes the connection cancels the run.
    """
    if body.stream:
        return await open_stream(service.solver.stream_resumed(run_id), service.live)
    return await _solution(service.solver.resume(run_id), request, service)


@router.get("/v1/runs/{run_id}/events", tags=["runs"], response_model=EventPage, responses=_NOT_FOUND)
async def get_events(run_id: str, service: ServiceOf, after: After = -1, limit: Limit = 200) -> Response:
    """What happened in a stored run."""
    events: list[TraceEvent] = []
    async for event in service.store.read(run_id, after):
        events.append(event)
        if len(events) > limit:
            break
    page = tuple(events[:limit])
    return _json(EventPage(events=page, next_after=page[-1].seq if len(events) > limit else None))


@router.get("/health", tags=["health"])
async def health(service: ServiceOf) -> Health:
    """Whether the process is alive."""
    return Health(version=service.version)


@router.get("/ready", tags=["health"], responses={503: {"description": "Not ready", "model": Readiness}})
async def ready(service: ServiceOf, response: Response) -> Readiness:
    """Whether everything that the service depends on works."""
    probes: dict[str, Probe] = {"traces": lambda: service.store.runs(limit=1), **service.probes}
    answers = await asyncio.gather(*(_ask(probe) for probe in probes.values()))
    is_ready = all(answer == "ok" for answer in answers)
    response.status_code = 200 if is_ready else 503
    return Readiness(status="ready" if is_ready else "not ready", checks=dict(zip(probes, answers, strict=True)))


async def _solution(work: Coroutine[None, None, Solution], request: Request, service: Service) -> Response:
    solution = await solve_while_connected(request, work, service.live)
    return Response(status_code=CLIENT_LEFT) if solution is None else _json(solution)


async def _ask(probe: Probe) -> str:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await probe()
    except TimeoutError:
        return f"no answer within {PROBE_TIMEOUT_S:g} s"
    except AbaciError as error:
        return str(error)
    return "ok"


def _json(value: Value) -> Response:
    return Response(to_json(value), media_type="application/json")
