"""Errors as HTTP: one table from class to status, one body for all (RFC 9457, `application/problem+json`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from abaci import errors
from abaci.api.schemas import FieldProblem, ProblemDetail
from abaci.traces.codec import to_json
from abaci.types import NOT_BLANK

MEDIA_TYPE = "application/problem+json"

TABLE: Mapping[type[errors.AbaciError], tuple[int, str]] = {
    errors.AbaciError: (500, "The service failed"),
    errors.InvalidInput: (422, "The request cannot be used"),
    errors.RunInProgress: (409, "The run is going on"),
    errors.SettingsError: (422, "The options contradict the service's configuration"),
    errors.BackendError: (502, "The model server failed"),
    errors.BackendUnavailable: (503, "The model server is unavailable"),
    errors.BackendRejected: (502, "The model server refused the request"),
    errors.ContextLengthExceeded: (422, "The problem is too long for the model"),
    errors.ModelLoadError: (503, "The model cannot be loaded"),
    errors.SandboxError: (500, "The sandbox is broken"),
    errors.SandboxUnavailable: (503, "No sandbox works here"),
    errors.SandboxBusy: (503, "Every sandbox is busy"),
    errors.TraceStoreError: (503, "The trace store failed"),
    errors.RunNotFound: (404, "No such run"),
    errors.GradingError: (500, "The grader is broken"),
}
"""A class that is not listed counts as its nearest listed base."""

RETRY_AFTER_S: Mapping[int, int] = {503: 5}
"""Statuses after which the same request may succeed, and when."""


def problem_of(error: errors.AbaciError) -> ProblemDetail:
    """`error` as a problem; its public attributes become members of the body."""
    listed = next(kind for kind in type(error).__mro__ if kind in TABLE)
    status, title = TABLE[listed]
    members = {name: value for name, value in vars(error).items() if not name.startswith("_") and value is not None}
    known = {"type": f"urn:abaci:{type(error).__name__}", "title": title, "status": status, "detail": str(error)}
    return ProblemDetail.model_validate({**members, **known})


def install_handlers(app: FastAPI) -> None:
    """Make every error of `app` a problem body."""
    app.add_exception_handler(errors.AbaciError, _on_abaci_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_defect)


async def _on_abaci_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, errors.AbaciError):
        raise error
    return _respond(request, problem_of(error))


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    # The input itself is not repeated: it may be huge, and need not be JSON.
    found = tuple(_field_problem(detail) for detail in error.errors())
    problem = ProblemDetail(
        type="urn:abaci:InvalidInput",
        title=TABLE[errors.InvalidInput][1],
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        detail="; ".join(f"{one.field}: {one.message}" for one in found[:5]),
        errors=found,
    )
    return _respond(request, problem)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    title = HTTPStatus(error.status_code).phrase
    problem = ProblemDetail(type="about:blank", title=title, status=error.status_code, detail=str(error.detail))
    return _respond(request, problem, error.headers)


async def _on_defect(request: Request, error: Exception) -> Response:
    # What happened goes to the server's log, with the request id; it may hold what the client must not see.
    detail = "a defect of the service; its log has the details"
    return _respond(request, ProblemDetail(type="about:blank", title="Internal error", status=500, detail=detail))


def _field_problem(detail: Mapping[str, Any]) -> FieldProblem:
    location: Sequence[object] = detail["loc"]
    # The first part is where the field is: `body`, `query`. Malformed JSON has an offset for a field.
    named = [str(part) for part in (location[1:] if len(location) > 1 else location)]
    if detail["type"] == "json_invalid":
        named = [str(location[0])]
        return FieldProblem(field=named[0], message=f"not JSON: {detail.get('ctx', {}).get('error', detail['msg'])}")
    if detail["type"] == "string_pattern_mismatch" and detail["ctx"]["pattern"] == NOT_BLANK:
        return FieldProblem(field=".".join(named), message="there is nothing in it but blanks")
    return FieldProblem(field=".".join(named), message=str(detail["msg"]))


def _respond(request: Request, problem: ProblemDetail, headers: Mapping[str, str] | None = None) -> Response:
    request_id: str = request.state.request_id
    identified = problem.model_copy(update={"request_id": request_id})
    # Set here too: the answer to a defect is sent from outside the middleware.
    sent = {**(headers or {}), "X-Request-Id": request_id}
    if problem.status in RETRY_AFTER_S:
        sent.setdefault("Retry-After", str(RETRY_AFTER_S[problem.status]))
    return Response(to_json(identified), problem.status, sent, MEDIA_TYPE)
