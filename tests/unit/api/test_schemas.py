from __future__ import annotations

import pytest
from pydantic import ValidationError

from abaci.agents.options import SolveOptions
from abaci.api.app import create_app
from abaci.api.schemas import SolveRequest
from abaci.traces.memory import MemoryTraceStore
from abaci.types import Budget, Sampling

DEFAULTS = SolveOptions(budget=Budget(samples=32, wall_s=60), sampling=Sampling(temperature=0.2), style="house")


def test_a_request_without_options_takes_the_servers() -> None:
    assert SolveRequest(question="x").options(DEFAULTS) == DEFAULTS


def test_a_budget_is_merged_field_by_field() -> None:
    request = SolveRequest.model_validate({"question": "x", "budget": {"samples": 4}, "style": None})
    options = request.options(DEFAULTS)
    assert options == SolveOptions(budget=Budget(samples=4, wall_s=60), sampling=Sampling(temperature=0.2), style=None)
    assert type(options) is SolveOptions


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_a_budget_without_a_bound_is_refused(number: float) -> None:
    with pytest.raises(ValidationError, match=r"budget\.wall_s must be a finite number"):
        SolveRequest.model_validate({"question": "x", "budget": {"wall_s": number}})


def test_the_interface_description_covers_every_route() -> None:
    description = create_app(None, MemoryTraceStore()).openapi()  # type: ignore[arg-type]
    assert set(description["paths"]) == {
        "/v1/solve",
        "/v1/runs",
        "/v1/runs/{run_id}",
        "/v1/runs/{run_id}/events",
        "/v1/runs/{run_id}/resume",
        "/health",
        "/ready",
    }
    for methods in description["paths"].values():
        assert all(route["summary"] and route["description"] for route in methods.values())
    solve = description["paths"]["/v1/solve"]["post"]
    assert set(solve["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    assert set(solve["responses"]["422"]["content"]) == {"application/problem+json"}
    assert description["components"]["schemas"]["SolveRequest"]["examples"]
