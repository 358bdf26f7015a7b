"""Every value that crosses a package border: frozen, validated, JSON-safe, and free of I/O.

`None` means absent; there are no sentinels. Durations are seconds (`_s`), sizes are bytes (`_bytes`), counts of model
tokens end in `_tokens`, and `chain` is the index of a chain within its run, counted from 0 across all sampling rounds.
"""

from __future__ import annotations

import secrets
import time
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

MAX_QUESTION_CHARS = 100_000
NOT_BLANK = r"\S"

RunId = Annotated[str, Field(pattern=r"^run_[0-9a-f]{24}$")]


def new_run_id() -> str:
    """A fresh run id: `run_`, 12 hex digits of Unix milliseconds, 12 random ones; sorts by time of creation."""
    return f"run_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


class Value(BaseModel):
    """Base of all values: immutable, and a misspelt field is an error."""

    # JSON has no infinity: a value that could not be read back must not be made.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


# --- the problem and its limits ---------------------------------------------------------------------------------------


class Problem(Value):
    """A question, and its reference answer where one is known (used for grading only, never shown to a model).

    `kind`: `answer` has one answer to vote on; `long_form` has none, and what chains agree on is merged to one text.
    """

    question: str = Field(min_length=1, max_length=MAX_QUESTION_CHARS, pattern=NOT_BLANK)
    reference: str | None = None
    kind: Literal["answer", "long_form"] = "answer"


class Sampling(Value):
    """How one chain draws its tokens.

    `max_tokens` bounds one generation call (one round), not the chain. `seed` makes a run repeatable: chain *i* draws
    with `seed + i`; absent means the engine chooses.
    """

    temperature: float = Field(default=0.7, ge=0.0, le=5.0)
    top_p: float = Field(default=0.95, gt=0.0, le=1.0)
    max_tokens: int = Field(default=1024, ge=1)
    seed: int | None = Field(default=None, ge=0, lt=2**31)


class Budget(Value):
    """What one run may spend. Reaching a limit ends sampling, never the run: what is there is aggregated.

    `samples` counts chains over all sampling rounds; absent, as many as the aggregator wants at most. `rounds` is how
    many programs one chain may run; `tokens` counts generated tokens plus tool output shown to the model, over all
    chains; `wall_s` is wall time for the whole run.
    """

    samples: int | None = Field(default=None, ge=1, le=1024)
    rounds: int = Field(default=4, ge=0, le=128)
    tokens: int | None = Field(default=None, ge=1)
    wall_s: float = Field(default=300.0, gt=0.0)


# --- running code -----------------------------------------------------------------------------------------------------


class ExecutionStatus(StrEnum):
    """How a program ended."""

    OK = "ok"
    ERROR = "error"
    """It raised; `error` and `traceback` say what."""
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    """It was stopped because it would not stop printing."""
    KILLED = "killed"
    """The process died: a signal, `os._exit`, or a refused system call."""


class Execution(Value):
    """The outcome of one program: data, whatever the program did."""

    status: ExecutionStatus
    stdout: str = ""
    """What it printed, standard error included, also when it failed half-way; head and tail kept where too long."""
    result: str | None = None
    """`repr` of the last statement's value when it is an expression with one, as an interactive session echoes it."""
    error: str | None = None
    """The last line of the traceback (`TypeError: …`), or one sentence on what ended the program."""
    traceback: str | None = None
    duration_s: float = Field(default=0.0, ge=0.0)
    is_session_lost: bool = False
    """True when the variables of earlier programs are gone: the session's process had to be replaced."""


# --- one chain --------------------------------------------------------------------------------------------------------


class Rationale(Value):
    """Prose that the model wrote."""

    kind: Literal["rationale"] = "rationale"
    text: str


class Program(Value):
    """Code that the model wrote and that is about to be executed."""

    kind: Literal["program"] = "program"
    code: str


class Output(Value):
    """What a program gave: the execution, and `text`, exactly what the model was shown of it."""

    kind: Literal["output"] = "output"
    text: str
    execution: Execution


Step = Annotated[Rationale | Program | Output, Field(discriminator="kind")]


class StopReason(StrEnum):
    """Why a chain ended."""

    ANSWER = "answer"
    NO_CODE = "no_code"
    """It stopped writing without a program to run and without a marked answer."""
    MAX_ROUNDS = "max_rounds"
    MAX_TOKENS = "max_tokens"
    CONTEXT_LENGTH = "context_length"
    REPETITION = "repetition"
    WALL_TIME = "wall_time"
    CANCELLED = "cancelled"
    ERROR = "error"


class Answer(Value):
    """An answer as the model wrote it, and its canonical form for comparison."""

    raw: str
    canonical: str


class Usage(Value):
    """What was spent. `tool_tokens` are tokens of program output fed to the model; `sandbox_s` is time in programs."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    tool_tokens: int = 0
    programs: int = 0
    sandbox_s: float = 0.0

    def __add__(self, other: Self) -> Usage:
        """The field-wise sum."""
        return Usage(
            requests=self.requests + other.requests,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            tool_tokens=self.tool_tokens + other.tool_tokens,
            programs=self.programs + other.programs,
            sandbox_s=self.sandbox_s + other.sandbox_s,
        )


class Trajectory(Value):
    """One finished chain."""

    chain: int = Field(ge=0)
    steps: tuple[Step, ...] = ()
    answer: Answer | None = None
    stop_reason: StopReason
    usage: Usage = Usage()
    mean_logprob: float | None = None
    """Mean natural-log probability of the generated tokens, where the backend reports it."""
    tail_entropy: float | None = None
    """Mean surprisal (nats) of the last tokens, an estimate of their entropy, where the backend reports it."""
    reward: float | None = None
    """The score that an external reward model gave: the logit of its being right."""
    error: str | None = None
    """Why the chain failed, when `stop_reason` is `error`."""
    duration_s: float = Field(default=0.0, ge=0.0)


# --- many chains ------------------------------------------------------------------------------------------------------


class Bucket(Value):
    """Chains whose answers are mathematically equal."""

    answer: Answer
    """The bucket's name: the answer of its first chain."""
    chains: tuple[int, ...]
    share: float = Field(ge=0.0, le=1.0)
    """This bucket's weight over the weight of all answered chains."""
    representatives: tuple[int, ...] = ()
    """AoR: the chains that stand for this bucket before a judge."""
    score: float | None = None
    """AoR: the judge's mean score, 0 to 10."""


class Decided(Value):
    """The aggregator's verdict. `answer` is None when it abstains."""

    kind: Literal["decided"] = "decided"
    answer: Answer | None
    explanation: str = ""
    confidence: float = Field(default=0.0, ge=0.0, le=1.0)
    buckets: tuple[Bucket, ...] = ()
    reason: str = ""
    """One sentence: which rule decided."""
    warnings: tuple[str, ...] = ()


class SampleMore(Value):
    """The aggregator wants `samples` further chains before it decides."""

    kind: Literal["sample_more"] = "sample_more"
    samples: int = Field(ge=1)
    buckets: tuple[Bucket, ...] = ()
    reason: str = ""
    notes: dict[str, JsonValue] = {}
    """What the aggregator wants to be told again when the chains have ended."""


class Deliberating(Value):
    """The aggregator has done one phase of its work and goes on with `phase`, to which `notes` are handed.

    A trace event too: a run is resumed at the phase that its last one names.
    """

    kind: Literal["deliberating"] = "deliberating"
    phase: Literal["score_locally", "evaluate_globally"]
    notes: dict[str, JsonValue] = {}
    reason: str = ""


Decision = Annotated[Decided | SampleMore, Field(discriminator="kind")]


class RunStatus(StrEnum):
    """The state of a run."""

    RUNNING = "running"
    SOLVED = "solved"
    ABSTAINED = "abstained"
    """It finished and no answer could be decided."""
    FAILED = "failed"
    """Every chain failed."""
    CANCELLED = "cancelled"


class Solution(Value):
    """What a caller gets: the answer, why, how sure, and what it cost."""

    run_id: RunId
    status: RunStatus
    question: str
    answer: str | None = None
    explanation: str = ""
    confidence: float = Field(default=0.0, ge=0.0, le=1.0)
    """The winning bucket's vote share."""
    buckets: tuple[Bucket, ...] = ()
    trajectories: tuple[Trajectory, ...] = ()
    usage: Usage = Usage()
    """What the chains spent."""
    judge_usage: Usage = Usage()
    """What judging the chains cost."""
    duration_s: float = 0.0
    warnings: tuple[str, ...] = ()
    error: str | None = None
    """Why the run failed or, where chains failed, why it abstained."""


# --- what happened ----------------------------------------------------------------------------------------------------


class RunStarted(Value):
    """A run began. `options` is the JSON form of its `SolveOptions`; `model` names what makes the tokens."""

    kind: Literal["run_started"] = "run_started"
    problem: Problem
    model: str
    options: dict[str, JsonValue] = {}


class RunResumed(Value):
    """A run that broke off goes on, `worked_s` seconds of work after its start; the break does not count.

    Chains that had not ended begin anew.
    """

    kind: Literal["run_resumed"] = "run_resumed"
    worked_s: float = Field(ge=0.0)


class ChainStarted(Value):
    """A chain began, or began anew: what it did before is then no part of it, but was spent."""

    kind: Literal["chain_started"] = "chain_started"
    chain: int
    seed: int | None = None


class TextDelta(Value):
    """Text of a chain as it is generated. Streamed, never stored: the step that follows holds it whole."""

    kind: Literal["text_delta"] = "text_delta"
    chain: int
    text: str


class StepTaken(Value):
    """A chain completed a step."""

    kind: Literal["step_taken"] = "step_taken"
    chain: int
    round: int
    step: Step


class ChainFinished(Value):
    """A chain ended. Its steps are the `step_taken` events before this one, so they are not repeated here."""

    kind: Literal["chain_finished"] = "chain_finished"
    chain: int
    answer: Answer | None
    stop_reason: StopReason
    usage: Usage
    mean_logprob: float | None = None
    tail_entropy: float | None = None
    error: str | None = None
    duration_s: float = 0.0


class VotesCounted(Value):
    """The vote over the chains that have finished so far."""

    kind: Literal["votes_counted"] = "votes_counted"
    buckets: tuple[Bucket, ...]
    finished: int
    started: int


class JudgeCalled(Value):
    """A judge was asked once. `verdict` is what was read from its `reply`; `error` says why there is none."""

    kind: Literal["judge_called"] = "judge_called"
    task: str
    """What it was asked to do, for instance `local scoring`."""
    chains: tuple[int, ...] = ()
    """The chains it was shown, in the order of their labels."""
    attempt: int = Field(default=1, ge=1)
    reply: str = ""
    verdict: JsonValue = None
    error: str | None = None
    prompt_sha256: str | None = None
    """Of the messages that `reply` answers, in hex: a resumed run takes the reply from here. None: it is not whole."""
    usage: Usage = Usage()
    duration_s: float = 0.0


class DecisionMade(Value):
    """An aggregator's decision."""

    kind: Literal["decision_made"] = "decision_made"
    decision: Decision


class WarningRaised(Value):
    """Something went wrong that did not stop the run."""

    kind: Literal["warning_raised"] = "warning_raised"
    message: str


class RunFinished(Value):
    """A run ended. `error` says why when `status` is `failed`."""

    kind: Literal["run_finished"] = "run_finished"
    status: RunStatus
    duration_s: float
    error: str | None = None


EventBody = Annotated[
    RunStarted
    | RunResumed
    | ChainStarted
    | TextDelta
    | StepTaken
    | ChainFinished
    | VotesCounted
    | JudgeCalled
    | Deliberating
    | DecisionMade
    | WarningRaised
    | RunFinished,
    Field(discriminator="kind"),
]

TRACE_VERSION = 1


class TraceEvent(Value):
    """One thing that happened in a run.

    `seq` counts the stored events of a run from 0 without gaps. A `TextDelta` is not stored and carries the `seq` of
    the stored event before it.
    """

    version: Literal[1] = 1
    run_id: RunId
    seq: int = Field(ge=0)
    at: float
    """Unix time in seconds."""
    body: EventBody

    @property
    def is_stored(self) -> bool:
        """False for events that are streamed only."""
        return self.body.kind != "text_delta"


class RunSummary(Value):
    """One line about a stored run."""

    run_id: RunId
    status: RunStatus
    question: str
    answer: str | None = None
    confidence: float | None = None
    started_at: float
    duration_s: float | None = None
