"""Run hostile programs in a sandbox, one after another, and say which were held and what stopped each."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, Field, field_validator

from abaci.errors import SandboxError
from abaci.evaluation.rows import MalformedRow, TypedRows
from abaci.sandbox.base import KILL_GRACE_S, Limits, Sandbox
from abaci.types import Execution, ExecutionStatus, Value

AFTERMATH_S: Final = 5.0
"""After an attack, how long everybody else may take to prove that they still work, in seconds."""

MAX_WHY_CHARS: Final = 300

_OUTPUT_BYTES: Final = 16 * 1024
_OUTPUT_SLACK_CHARS: Final = 100
"""For the note that tells how much was left out of the middle."""
_REPORT_CHARS: Final = 40 * 1024
"""No error and its traceback are longer than this together."""

_ACCIDENTS: Final = ("SyntaxError", "IndentationError", "NameError", "AttributeError", "ImportError", "ModuleNotFound")
"""A program that ended in one of these was not held: it never attacked."""

_SECRET: Final = "VICTIM_SECRET"
_OWN_PROGRAM, _OWN_RESULT = "6 * 7", "42"
_PLANT: Final = f"""
import os
{_SECRET}, token = {_SECRET!r}, {{token!r}}
try:
    with open('/tmp/{_SECRET}', 'w') as file:
        file.write(token)
    is_planted = True
except OSError:
    is_planted = False
"""
_CHECK_NEIGHBOUR: Final = f"""
is_kept = os.path.exists('/tmp/{_SECRET}') and open('/tmp/{_SECRET}').read() == token
({_SECRET}, is_kept == is_planted)
"""
_CHECK_FRESH: Final = """
import math, sympy
x = sympy.symbols('x')
(sympy.solve(x**2 - 1, x), math.sqrt(4), 'VICTIM' + '_SECRET' in globals())
"""
_NEIGHBOUR_RESULT: Final = repr((_SECRET, True))
_FRESH_RESULT: Final = "([-1, 1], 2.0, False)"


class Attack(BaseModel):
    """One hostile program. It announces its success by printing the word PWNED.

    `oracle` is what must hold besides what is asked of every attack, which is: no PWNED in what it gives; output and
    error within their limits; the sandbox, a neighbour session that keeps a variable and a file, and a new session that
    computes with SymPy all still work `AFTERMATH_S` after it; and the neighbour's secret unread. `reply`: this very
    session still answers. The others ask for nothing more. `timeout` is in seconds. `reason`, where given, is a regular
    expression that must be found in "status, line end, error, line end, output": what has to have stopped it.
    """

    name: str = Field(min_length=1, max_length=200)
    code: str
    oracle: Literal["no_pwned", "survives", "reply", "capped"] = "survives"
    timeout: float = Field(default=5.0, gt=0.0, le=600.0)
    reason: str | None = None

    @field_validator("reason")
    @classmethod
    def _check_reason(cls, reason: str | None) -> str | None:
        try:
            re.compile(reason or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return reason


@dataclass(frozen=True)
class Trial:
    """How an attack went: what the sandbox reported of it, if it could, and the flaw, if it was not held."""

    execution: Execution | None
    flaw: str | None

    @property
    def stopped_by(self) -> str:
        """The status of the execution and its one-line error, or else the first line that it printed."""
        if self.execution is None:
            return "nothing"
        detail = self.execution.error or self.execution.stdout.strip()
        first = detail.splitlines()[0] if detail else ""
        return f"{self.execution.status}: {first}"[:MAX_WHY_CHARS] if first else str(self.execution.status)


class FailedAttack(Value):
    """An attack that was not held, and why."""

    name: str
    why: str


class HeldAttack(Value):
    """An attack that was held, and what stopped it: the status of its execution and its error, errno or signal."""

    name: str
    by: str


class AttackReport(Value):
    """What a corpus of attacks did to the sandbox `tier`; `programs` and `held` are counts."""

    programs: int
    held: int
    failed: tuple[FailedAttack, ...]
    tier: str
    holds: tuple[HeldAttack, ...] = ()
    malformed_rows: tuple[MalformedRow, ...] = ()


async def run_attacks(path: Path, sandbox: Sandbox, on_count: Callable[[int], None]) -> AttackReport:
    """Runs every attack of a file of `Attack` rows alone, and calls `on_count` with the number of those done.

    Give it a sandbox without spare sessions: one that was forked before an attack cannot show what the attack did to
    the process that new sessions are forked from.

    Raises:
        InvalidInput: the file cannot be opened.
    """
    rows = TypedRows(path, Attack)
    failed: list[FailedAttack] = []
    holds: list[HeldAttack] = []
    for _, attack in rows:
        trial = await attempt(attack, sandbox)
        if trial.flaw is None:
            holds.append(HeldAttack(name=attack.name, by=trial.stopped_by))
        else:
            failed.append(FailedAttack(name=attack.name, why=trial.flaw[:MAX_WHY_CHARS]))
        on_count(len(holds) + len(failed))
    return AttackReport(
        programs=len(holds) + len(failed),
        held=len(holds),
        failed=tuple(failed),
        tier=sandbox.tier,
        holds=tuple(holds),
        malformed_rows=rows.malformed,
    )


async def attempt(
    attack: Attack, sandbox: Sandbox, limits: Limits | None = None, aftermath_s: float = AFTERMATH_S
) -> Trial:
    """Runs one attack beside a neighbour session and looks at everybody afterwards, for `aftermath_s` seconds at most.

    `limits` replaces the attack's own time limit and the default ones. A sandbox that breaks or hangs is a flaw, not an
    exception.
    """
    limits = limits or Limits(timeout_s=attack.timeout, output_bytes=_OUTPUT_BYTES)
    seen = _Seen(token=secrets.token_hex(16))
    try:
        async with asyncio.timeout(limits.timeout_s + KILL_GRACE_S + 2 * aftermath_s):
            await _observe(attack.code, sandbox, limits, aftermath_s, seen)
    except TimeoutError:
        return Trial(seen.execution, "the sandbox hangs: somebody did not answer in time")
    except SandboxError as error:
        return Trial(seen.execution, f"the sandbox broke: {error}")
    return Trial(seen.execution, _find_flaw(attack, limits, seen))


@dataclass
class _Seen:
    """What was observed of an attack, filled in step by step."""

    token: str
    execution: Execution | None = None
    neighbour: Execution | None = None
    after: Execution | None = None
    fresh: Execution | None = None


async def _observe(code: str, sandbox: Sandbox, limits: Limits, aftermath_s: float, seen: _Seen) -> None:
    async with sandbox.session() as neighbour, sandbox.session() as attacked:
        await neighbour.execute(_PLANT.format(token=seen.token))
        seen.execution = await attacked.execute(code, limits)
        async with asyncio.timeout(aftermath_s):
            seen.neighbour = await neighbour.execute(_CHECK_NEIGHBOUR)
            seen.after = await attacked.execute(_OWN_PROGRAM, Limits(timeout_s=2.0))
            async with sandbox.session() as fresh:
                seen.fresh = await fresh.execute(_CHECK_FRESH)


def _find_flaw(attack: Attack, limits: Limits, seen: _Seen) -> str | None:
    """Why the attack was not held; None where it was."""
    execution, neighbour, after, fresh = seen.execution, seen.neighbour, seen.after, seen.fresh
    if execution is None or neighbour is None or after is None or fresh is None:
        return "the attack was not seen to its end"
    flaws = (
        _flaw_in_what_it_gave(execution, limits, seen.token),
        _flaw_in_reason(attack, execution),
        _flaw_in_others(neighbour, fresh),
        _flaw_in_own_session(attack, execution, after),
    )
    return next((flaw for flaw in flaws if flaw is not None), None)


def _flaw_in_what_it_gave(execution: Execution, limits: Limits, token: str) -> str | None:
    # The traceback is left out of the first check: it quotes the program, which holds the word.
    given = f"{execution.stdout}\n{execution.result}\n{execution.error}"
    report = f"{execution.error}\n{execution.traceback}"
    if "PWNED" in given:
        line = next(line for line in given.splitlines() if "PWNED" in line)
        return f"it succeeded: {line}"
    if token in given or token in report:
        return "it read a neighbour session's secret"
    if len(execution.stdout) > limits.output_bytes + _OUTPUT_SLACK_CHARS:
        return f"its output has {len(execution.stdout)} characters, with a limit of {limits.output_bytes} bytes"
    if len(report) > _REPORT_CHARS:
        return f"its error has {len(report)} characters, with a limit of {_REPORT_CHARS}"
    return None


def _flaw_in_reason(attack: Attack, execution: Execution) -> str | None:
    text = f"{execution.status}\n{execution.error}\n{execution.stdout}"
    if attack.reason is not None:
        is_met = re.search(attack.reason, text, re.DOTALL) is not None
        return None if is_met else f"it was not stopped by {attack.reason!r}: {text}"
    if (execution.error or "").startswith(_ACCIDENTS):
        return f"it never attacked: {execution.error}"
    return None


def _flaw_in_others(neighbour: Execution, fresh: Execution) -> str | None:
    if neighbour.is_session_lost or neighbour.result != _NEIGHBOUR_RESULT:
        return f"a neighbour session was harmed: {_describe(neighbour)}"
    if fresh.is_session_lost or fresh.result != _FRESH_RESULT:
        return f"a session opened afterwards does not work: {_describe(fresh)}"
    return None


def _flaw_in_own_session(attack: Attack, execution: Execution, after: Execution) -> str | None:
    is_lost = execution.is_session_lost or after.is_session_lost
    if attack.oracle == "reply" and (is_lost or after.result != _OWN_RESULT):
        return f"its session does not answer any more: {_describe(after)}"
    # Elsewhere a session may be broken, as long as it says so; a wrong value it may not give.
    if after.status is ExecutionStatus.OK and after.result != _OWN_RESULT:
        return f"its session, asked for {_OWN_PROGRAM}, answers {after.result!r}"
    return None


def _describe(execution: Execution) -> str:
    lost = ", replaced" if execution.is_session_lost else ""
    return f"{execution.status}{lost}: {execution.error or execution.result}"
