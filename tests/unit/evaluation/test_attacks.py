"""The judge of attacks, with sandboxes that are weak on purpose: it must see every success."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from abaci.errors import InvalidInput, SandboxError
from abaci.evaluation.attacks import Attack, AttackReport, attempt, run_attacks
from abaci.sandbox.base import Limits, Sandbox, Session
from abaci.sandbox.bubblewrap import BubblewrapSandbox
from abaci.sandbox.config import BubblewrapConfig, LandlockConfig
from abaci.sandbox.landlock import LandlockSandbox
from abaci.sandbox.scripted import ScriptedSandbox
from abaci.types import Execution, ExecutionStatus

pytestmark = pytest.mark.asyncio(loop_scope="module")

HARMLESS = Attack(name="harmless", code="print('hello')")
OK = ExecutionStatus.OK


class OneSessionForAll:
    """A weak `Sandbox`: all of its sessions are one real session, so that everything is shared."""

    tier = "shared"

    def __init__(self, session: Session) -> None:
        self._session = session

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        yield self._session

    async def __aenter__(self) -> OneSessionForAll:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        return None


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["bubblewrap", "landlock"])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    make: dict[str, Callable[[], Sandbox]] = {
        "bubblewrap": lambda: BubblewrapSandbox(BubblewrapConfig(spares=0)),
        "landlock": lambda: LandlockSandbox(LandlockConfig(spares=0)),
    }
    async with make[request.param]() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def weak_sandbox(sandbox: Sandbox) -> AsyncIterator[Sandbox]:
    async with sandbox.session() as session:
        yield OneSessionForAll(session)


def honest(attack: str, gives: Execution | Callable[[], Awaitable[Execution]]) -> ScriptedSandbox:
    """A sandbox where everything is as it should be, but for what the program `attack` gives."""

    def reply(code: str) -> Execution | Awaitable[Execution]:
        if code == attack:
            return gives if isinstance(gives, Execution) else gives()
        if "is_kept" in code:
            return Execution(status=OK, result="('VICTIM_SECRET', True)")
        if "sympy" in code:
            return Execution(status=OK, result="([-1, 1], 2.0, False)")
        return Execution(status=OK, result="42" if code == "6 * 7" else None)

    return ScriptedSandbox(reply)


async def flaw_of(attack: Attack, gives: Execution | Callable[[], Awaitable[Execution]]) -> str | None:
    return (await attempt(attack, honest(attack.code, gives))).flaw


# --- a real sandbox, and a weak one -----------------------------------------------------------------------------------


async def test_what_a_real_sandbox_stops_is_held(sandbox: Sandbox) -> None:
    code = "import os\nos.kill(-1, 9)\nprint('PWNED')"
    trial = await attempt(Attack(name="kill", code=code, oracle="reply", reason=r"\[Errno 1\]"), sandbox)
    assert trial.flaw is None
    assert trial.stopped_by == "error: PermissionError: [Errno 1] Operation not permitted"


async def test_reading_a_neighbours_variable_is_seen(weak_sandbox: Sandbox) -> None:
    trial = await attempt(Attack(name="read", code="print(token)"), weak_sandbox)
    assert trial.flaw == "it read a neighbour session's secret"


async def test_changing_a_neighbours_variable_is_seen(weak_sandbox: Sandbox) -> None:
    trial = await attempt(Attack(name="change", code="VICTIM_SECRET = 'changed'"), weak_sandbox)
    assert trial.flaw is not None
    assert trial.flaw.startswith("a neighbour session was harmed: ok: ('changed'")


async def test_killing_a_neighbour_is_seen(weak_sandbox: Sandbox) -> None:
    trial = await attempt(Attack(name="kill", code="import os; os._exit(0)"), weak_sandbox)
    assert trial.flaw is not None
    assert trial.flaw.startswith("a neighbour session was harmed: error: NameError")


async def test_poisoning_the_next_session_is_seen(weak_sandbox: Sandbox) -> None:
    code = "import sympy; sympy.solve = lambda *a: ['POISON']"
    trial = await attempt(Attack(name="poison", code=code), weak_sandbox)
    assert trial.flaw == "a session opened afterwards does not work: ok: (['POISON'], 2.0, True)"


async def test_leaving_something_for_the_next_session_is_seen(weak_sandbox: Sandbox) -> None:
    trial = await attempt(HARMLESS, weak_sandbox)
    assert trial.flaw == "a session opened afterwards does not work: ok: ([-1, 1], 2.0, True)"


# --- what an attack gives ---------------------------------------------------------------------------------------------


async def test_an_attack_that_gives_nothing_telling_is_held() -> None:
    assert await flaw_of(HARMLESS, Execution(status=OK, stdout="hello\n")) is None


@pytest.mark.parametrize("field", ["stdout", "result", "error"])
async def test_an_attack_that_announces_its_success_is_not_held(field: str) -> None:
    flaw = await flaw_of(HARMLESS, Execution(status=OK, **{field: "first\nPWNED 7"}))
    assert flaw == "it succeeded: PWNED 7"


async def test_a_traceback_may_quote_the_program() -> None:
    execution = Execution(status=ExecutionStatus.ERROR, error="OSError: [Errno 1]", traceback="  print('PWNED')")
    assert await flaw_of(HARMLESS, execution) is None


@pytest.mark.parametrize("error", ["NameError: name 'x' is not defined", "ModuleNotFoundError: No module named 'x'"])
async def test_a_program_that_fails_by_accident_is_not_held(error: str) -> None:
    flaw = await flaw_of(HARMLESS, Execution(status=ExecutionStatus.ERROR, error=error))
    assert flaw == f"it never attacked: {error}"


async def test_a_program_that_dies_for_another_reason_is_not_held() -> None:
    attack = HARMLESS.model_copy(update={"reason": r"\[Errno 1\]"})
    flaw = await flaw_of(attack, Execution(status=ExecutionStatus.ERROR, error="OSError: [Errno 2] x"))
    assert flaw is not None
    assert "was not stopped by" in flaw


async def test_too_much_output_is_not_held() -> None:
    flaw = await flaw_of(HARMLESS, Execution(status=OK, stdout="x" * 20_000))
    assert flaw == "its output has 20000 characters, with a limit of 16384 bytes"


async def test_too_long_an_error_is_not_held() -> None:
    flaw = await flaw_of(HARMLESS, Execution(status=OK, error="x" * 50_000))
    assert flaw is not None
    assert "its error has" in flaw


async def test_an_attack_that_must_leave_its_session_alive_is_not_held_when_the_session_is_lost() -> None:
    lost = Execution(status=ExecutionStatus.KILLED, error="the program ended its process", is_session_lost=True)
    assert await flaw_of(HARMLESS, lost) is None
    assert await flaw_of(HARMLESS.model_copy(update={"oracle": "reply"}), lost) is not None


# --- a sandbox that breaks --------------------------------------------------------------------------------------------


async def test_a_sandbox_that_breaks_is_a_flaw() -> None:
    async def break_down() -> Execution:
        raise SandboxError("the worker has died")

    assert await flaw_of(HARMLESS, break_down) == "the sandbox broke: the worker has died"


async def test_a_sandbox_that_hangs_is_a_flaw() -> None:
    async def hang() -> Execution:
        await asyncio.sleep(600)
        raise AssertionError

    trial = await attempt(HARMLESS, honest(HARMLESS.code, hang), Limits(timeout_s=0.01), aftermath_s=0.01)
    assert trial.flaw == "the sandbox hangs: somebody did not answer in time"


# --- files ------------------------------------------------------------------------------------------------------------


async def run(folder: Path, sandbox: Sandbox, *lines: str) -> AttackReport:
    path = folder / "attacks.jsonl"
    path.write_text("\n".join(lines))
    return await run_attacks(path, sandbox, lambda count: None)


async def test_a_report_counts_what_held_and_names_what_did_not(tmp_path: Path) -> None:
    rows = [{"name": "a", "code": "x"}, {"name": "b", "code": "y", "oracle": "no_pwned", "must_hold": "words"}]
    sandbox = honest("y", Execution(status=OK, stdout="PWNED"))
    report = await run(tmp_path, sandbox, *map(json.dumps, rows))
    assert (report.programs, report.held, report.tier) == (2, 1, "scripted")
    assert [(failure.name, failure.why) for failure in report.failed] == [("b", "it succeeded: PWNED")]
    assert [(hold.name, hold.by) for hold in report.holds] == [("a", "ok")]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("{", "not JSON"),
        ('{"name": "a"}', "code: Field required"),
        ('{"name": "a", "code": "1", "oracle": "x"}', "oracle: "),
        ('{"name": "a", "code": "1", "timeout": 0}', "timeout: "),
        ('{"name": "a", "code": "1", "reason": "("}', "reason: Value error, not a regular expression"),
    ],
)
async def test_a_malformed_row_is_named_and_the_rest_is_run(tmp_path: Path, row: str, problem: str) -> None:
    report = await run(tmp_path, honest("", Execution(status=OK)), row, '{"name": "b", "code": "1"}')
    assert (report.programs, report.held) == (1, 1)
    assert [malformed.line for malformed in report.malformed_rows] == [1]
    assert report.malformed_rows[0].problem.startswith(problem)


async def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot read"):
        await run_attacks(tmp_path / "absent", ScriptedSandbox({}), lambda count: None)
