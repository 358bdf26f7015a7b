"""Run the programs of published trajectories again and compare what they give with what was recorded."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from abaci.answers.equality import compare_exact
from abaci.answers.extract import extract_answer
from abaci.answers.tora import extract_tora
from abaci.evaluation.rows import MalformedRow, TypedRows
from abaci.evaluation.timing import percentage, percentile_ms
from abaci.evaluation.transcript import (
    TIMEOUT_TEXT,
    RecordedProgram,
    is_refused,
    read_programs,
    render_execution,
)
from abaci.grading.grader import Grader
from abaci.sandbox.base import Limits, Sandbox, Session
from abaci.types import Execution, ExecutionStatus, Value

REPLAY_LIMITS = Limits(timeout_s=5.0)
"""ToRA's own time limit."""

CONCURRENT_TRAJECTORIES = 2

# ToRA showed standard output alone; a session reports standard error with it, where warnings would turn up.
_PREAMBLE = "import warnings\nwarnings.simplefilter('ignore')\n"

_ERROR_LINE = re.compile(r"(?:[\w.]+(?:Error|Exception|Interrupt|Exit|Iteration))(?:\b.*)?", re.DOTALL)
_TIMEOUT_LINE = re.compile(r"Timeout Error|.*(?:timeout_decorator|Timed Out).*", re.DOTALL)
_MISSING_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError)\b")
_LIBRARY = re.compile(r"^\s*(?:import|from)\s+(?:sympy|numpy|scipy|mpmath)\b", re.MULTILINE)


class RecordedTrajectory(BaseModel):
    """One row: the texts of its chains, the answer recorded for each, and the gold answer."""

    code: list[str] = Field(min_length=1)
    pred: list[str] = Field(min_length=1)
    gt: str
    idx: str | None = None

    @field_validator("idx", mode="before")
    @classmethod
    def _spell_index(cls, idx: object) -> object:
        return str(idx) if isinstance(idx, int) else idx


class Mismatch(Value):
    """A program whose output differs from the recorded one.

    `class` is the likely cause: `timeout wording` (both ran out of time) · `timeout` (one of them did) ·
    `error wording` (the same exception, told differently) · `state carried` (it gives the recorded output after the
    trajectory's earlier programs) · `module missing` · `sandbox limit` · `library version` (a program that imports a
    mathematics library) · `output`.
    """

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    line: int
    idx: str | None
    block: int
    cause: str = Field(alias="class")
    expected: str
    got: str


class ReplayReport(Value):
    """What a replay found.

    `programs` and `exact` are counts; the other figures are in per cent of the trajectories, latencies in milliseconds
    per program, its session included. `extraction_agreement` compares ToRA's extraction with the recorded answer. The
    accuracies grade abaci's own extraction; `accuracy_lenient` adds ToRA's numeric tolerance. `retried` counts programs
    that ran out of time beside others, unlike when recorded, and were run once more with nothing beside them: that
    second run counts.
    """

    programs: int
    exact: int
    exact_rate: float
    mismatches: tuple[Mismatch, ...]
    extraction_agreement: float
    accuracy: float
    accuracy_lenient: float
    p50_ms: float | None
    p99_ms: float | None
    trajectories: int
    is_state_carried: bool
    retried: int
    malformed_rows: tuple[MalformedRow, ...] = ()


@dataclass(frozen=True)
class _Replayed:
    """A program's place: its row, and its trajectory's programs up to and with itself."""

    line: int
    idx: str | None
    programs: tuple[RecordedProgram, ...]

    @property
    def program(self) -> RecordedProgram:
        return self.programs[-1]


@dataclass
class _Tally:
    trajectories: int = 0
    programs: int = 0
    extracted: int = 0
    correct: int = 0
    correct_lenient: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)
    durations_s: list[float] = field(default_factory=list)
    late: list[_Replayed] = field(default_factory=list)


@dataclass(frozen=True)
class ReplayOptions:
    """How to replay: `carry_state` runs the programs of a trajectory in one session; else each is alone in its own."""

    carry_state: bool = False
    limits: Limits = REPLAY_LIMITS
    concurrency: int = CONCURRENT_TRAJECTORIES


async def replay_trajectories(
    path: Path, sandbox: Sandbox, grader: Grader, options: ReplayOptions = ReplayOptions()
) -> ReplayReport:
    """Replays every program with a recorded output of a file of `RecordedTrajectory` rows.

    Raises:
        InvalidInput: the file cannot be opened.
        GradingError, SandboxError: the grader or the sandbox is broken.
    """
    rows = TypedRows(path, RecordedTrajectory)
    tally = _Tally()
    replay = _Replay(sandbox, grader, options, tally)
    pending = iter(rows)

    async def work() -> None:
        # Workers share the iterator, so at most `concurrency` rows are in memory.
        for line, row in pending:
            await replay.run(line, row)

    async with asyncio.TaskGroup() as group:
        for _ in range(options.concurrency):
            group.create_task(work())
    await replay.retry_late()
    return _report(tally, options, rows.malformed)


def _report(tally: _Tally, options: ReplayOptions, malformed: tuple[MalformedRow, ...]) -> ReplayReport:
    exact = tally.programs - len(tally.mismatches)
    return ReplayReport(
        programs=tally.programs,
        exact=exact,
        exact_rate=percentage(exact, tally.programs),
        mismatches=tuple(sorted(tally.mismatches, key=lambda item: (item.line, item.block))),
        extraction_agreement=percentage(tally.extracted, tally.trajectories),
        accuracy=percentage(tally.correct, tally.trajectories),
        accuracy_lenient=percentage(tally.correct_lenient, tally.trajectories),
        p50_ms=percentile_ms(tally.durations_s, 50),
        p99_ms=percentile_ms(tally.durations_s, 99),
        trajectories=tally.trajectories,
        is_state_carried=options.carry_state,
        retried=len(tally.late),
        malformed_rows=malformed,
    )


class _Replay:
    """Replays trajectories one by one and adds to a tally."""

    def __init__(self, sandbox: Sandbox, grader: Grader, options: ReplayOptions, tally: _Tally) -> None:
        self._sandbox = sandbox
        self._grader = grader
        self._options = options
        self._tally = tally

    async def run(self, line: int, row: RecordedTrajectory) -> None:
        """Replay and judge one row."""
        for text, pred in zip(row.code, row.pred, strict=False):
            await self._judge(text, pred, row.gt)
            programs = tuple(read_programs(text))
            executions = await self._execute(programs)
            self._tally.programs += len(programs)
            for number, execution in enumerate(executions, start=1):
                replayed = _Replayed(line, row.idx, programs[:number])
                expected, got = replayed.program.output.strip(), render_execution(execution)
                if got == TIMEOUT_TEXT and not _TIMEOUT_LINE.fullmatch(expected):
                    self._tally.late.append(replayed)
                elif got != expected:
                    await self._add_mismatch(replayed, execution)

    async def retry_late(self) -> None:
        """Run the programs that were late once more, one at a time."""
        for replayed in self._tally.late:
            programs = replayed.programs if self._options.carry_state else replayed.programs[-1:]
            execution = (await self._execute_in_one_session(programs))[-1]
            if render_execution(execution) != replayed.program.output.strip():
                await self._add_mismatch(replayed, execution)

    async def _judge(self, text: str, pred: str, gold: str) -> None:
        answer = extract_answer(text) or ""
        is_correct = (await self._grader.compare(gold, answer)).is_equal
        self._tally.trajectories += 1
        self._tally.extracted += extract_tora(text) == pred
        self._tally.correct += is_correct
        self._tally.correct_lenient += is_correct or compare_exact(gold, answer, is_lenient=True) is True

    async def _execute(self, programs: Sequence[RecordedProgram]) -> list[Execution]:
        if self._options.carry_state:
            return await self._execute_in_one_session(programs, self._tally.durations_s)
        return [(await self._execute_in_one_session([one], self._tally.durations_s))[0] for one in programs]

    async def _execute_in_one_session(
        self, programs: Sequence[RecordedProgram], durations_s: list[float] | None = None
    ) -> list[Execution]:
        if not programs:
            return []
        started = time.monotonic()
        executions = []
        async with self._sandbox.session() as session:
            await session.execute(_PREAMBLE, self._options.limits)
            for program in programs:
                executions.append(await self._execute_one(session, program))
                if durations_s is not None:
                    durations_s.append(time.monotonic() - started)
                started = time.monotonic()
        return executions

    async def _execute_one(self, session: Session, program: RecordedProgram) -> Execution:
        if is_refused(program.code):
            return Execution(status=ExecutionStatus.ERROR, error="RuntimeError")
        return await session.execute(program.code, self._options.limits)

    async def _add_mismatch(self, replayed: _Replayed, execution: Execution) -> None:
        program = replayed.program
        expected, got = program.output.strip(), render_execution(execution)
        cause = _find_cause(program.code, expected, got, execution)
        if not self._options.carry_state and await self._needs_state(replayed):
            cause = "state carried"
        self._tally.mismatches.append(
            Mismatch(line=replayed.line, idx=replayed.idx, block=program.block, cause=cause, expected=expected, got=got)
        )

    async def _needs_state(self, replayed: _Replayed) -> bool:
        """Whether the recorded output comes out after the earlier programs of the trajectory."""
        if len(replayed.programs) < 2:
            return False
        execution = (await self._execute_in_one_session(replayed.programs))[-1]
        return render_execution(execution) == replayed.program.output.strip()


def _find_cause(code: str, expected: str, got: str, execution: Execution) -> str:
    is_expected_timeout = bool(_TIMEOUT_LINE.fullmatch(expected))
    if is_expected_timeout or got == TIMEOUT_TEXT:
        return "timeout wording" if is_expected_timeout and got == TIMEOUT_TEXT else "timeout"
    if _MISSING_MODULE.match(got) or _MISSING_MODULE.match(expected):
        return "module missing"
    if execution.status in (ExecutionStatus.MEMORY, ExecutionStatus.OUTPUT_LIMIT, ExecutionStatus.KILLED):
        return "sandbox limit"
    one, other = _read_exception(expected), _read_exception(got)
    if one is not None and one == other:
        return "error wording"
    return "library version" if _LIBRARY.search(code) else "output"


def _read_exception(report: str) -> str | None:
    """The exception's name without its module, where the report is an error line."""
    if not _ERROR_LINE.fullmatch(report):
        return None
    return re.split(r"[^\w.]", report, maxsplit=1)[0].rpartition(".")[2]
