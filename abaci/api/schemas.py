"""What the service takes and gives, beside the values of `abaci.types`."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from abaci.agents.options import SolveOptions
from abaci.types import MAX_QUESTION_CHARS, NOT_BLANK, Problem, RunSummary, TraceEvent, Value

STREAM = Field(default=False, description="Answer with server-sent events as the run goes on.")


class SolveRequest(SolveOptions):
    """A question and how to solve it. Options left out are those that the server was started with."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"question": "What is the sum of the first 100 primes?"},
                {"question": "Factor 1001.", "budget": {"samples": 16, "wall_s": 60}, "stream": True},
            ]
        }
    )

    question: str = Field(
        min_length=1,
        max_length=MAX_QUESTION_CHARS,
        pattern=NOT_BLANK,
        description="The problem, in plain text or LaTeX.",
    )
    kind: Literal["answer", "long_form"] = Field(
        default="answer",
        description="`long_form` asks for a text and not for one answer: what chains agree on, merged by the aggregator"
        " `atomic`; the others abstain.",
    )
    stream: bool = STREAM

    @model_validator(mode="before")
    @classmethod
    def _has_finite_numbers(cls, data: object) -> object:
        # Python's JSON reader takes Infinity and NaN; a budget without a bound is none.
        for name, part in data.items() if isinstance(data, dict) else ():
            for key, value in part.items() if isinstance(part, dict) else ():
                if isinstance(value, float) and not math.isfinite(value):
                    raise ValueError(f"{name}.{key} must be a finite number")
        return data

    @property
    def problem(self) -> Problem:
        """The problem to solve."""
        return Problem(question=self.question, kind=self.kind)

    def options(self, defaults: SolveOptions) -> SolveOptions:
        """`defaults` with what this request sets in their place; of `budget` and `sampling`, field by field."""
        given = self.model_fields_set & set(SolveOptions.model_fields)
        chosen: dict[str, object] = {name: getattr(self, name) for name in given}
        for name in given & {"budget", "sampling"}:
            part: Value = getattr(self, name)
            chosen[name] = getattr(defaults, name).model_copy(
                update={key: getattr(part, key) for key in part.model_fields_set}
            )
        return defaults.model_copy(update=chosen)


class ResumeRequest(Value):
    """How to answer; what is solved, and how, is what the run was begun with."""

    stream: bool = STREAM


class RunPage(Value):
    """Runs, newest first. `next_before` is the `before` of the next page; absent: this is the last one."""

    runs: tuple[RunSummary, ...]
    next_before: str | None = None


class EventPage(Value):
    """Events of a run, in order. `next_after` is the `after` of the next page; absent: there are no more for now."""

    events: tuple[TraceEvent, ...]
    next_after: int | None = None


class Health(Value):
    """The process is alive."""

    status: Literal["ok"] = "ok"
    version: str


class Readiness(Value):
    """Whether the service can take work. `checks` says `ok`, or what is wrong, for each thing that it depends on."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str]


class FieldProblem(Value):
    """What is wrong with one field of a request."""

    field: str = Field(examples=["budget.samples"])
    message: str = Field(examples=["Input should be greater than or equal to 1"])


class ProblemDetail(Value):
    """An error, as RFC 9457 has it. `type` ends in the name of the error's class in the Python package."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:abaci:RunNotFound"])
    title: str = Field(examples=["No such run"])
    status: int = Field(examples=[404])
    detail: str
    request_id: str | None = None
    errors: tuple[FieldProblem, ...] = ()
