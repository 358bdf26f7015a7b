"""The REST application."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

from abaci.agents.options import SolveOptions
from abaci.api.errors import MEDIA_TYPE, install_handlers
from abaci.api.middleware import BodyLimit, RequestId
from abaci.api.routes import Probe, Service, SolverLike, router
from abaci.traces.base import TraceStore

PROBLEM_SCHEMA = {"$ref": "#/components/schemas/ProblemDetail"}
DESCRIPTION = """Solve mathematics with many tool-using reasoning chains, merged into one justified answer.

Errors are `application/problem+json` (RFC 9457). Every response carries `X-Request-Id`."""


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """The interface's description; FastAPI cannot be told that problems have a media type of their own."""
        description = super().openapi()
        for methods in description["paths"].values():
            for route in methods.values():
                for response in route["responses"].values():
                    content = response.get("content", {})
                    if content.get("application/json", {}).get("schema") == PROBLEM_SCHEMA:
                        content[MEDIA_TYPE] = content.pop("application/json")
        return description


def create_app(
    solver: SolverLike,
    store: TraceStore,
    *,
    version: str | None = None,
    defaults: SolveOptions | None = None,
    probes: Mapping[str, Probe] | None = None,
) -> FastAPI:
    """The application over an open solver and the open store that its runs are in.

    Args:
        solver: solves; started and stopped by the caller.
        store: where the solver keeps its traces.
        version: what `/health` reports; absent: that of the installed package.
        defaults: options of requests that leave them out.
        probes: what `/ready` asks beside the trace store, by name.
    """
    version = version or metadata.version("abaci")
    app = _App(
        title="abaci",
        version=version,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0"},
        middleware=[Middleware(RequestId), Middleware(BodyLimit)],
    )
    app.state.service = Service(
        solver=solver, store=store, version=version, defaults=defaults or SolveOptions(), probes=probes or {}
    )
    app.include_router(router)
    install_handlers(app)
    return app
