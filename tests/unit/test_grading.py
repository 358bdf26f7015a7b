"""The grader's host side: what it decides without a sandbox, and how it treats the sessions it uses."""

from __future__ import annotations

import ast
import asyncio
import json
import subprocess
import sys

import pytest

from abaci.errors import GradingError, SandboxError
from abaci.grading.grader import Grader, Rules
from abaci.grading.plan import Different, PartByPart, Whole, plan_comparison
from abaci.grading.prose import MAX_TEXT_CHARS, cut_text, read_sole_answer
from abaci.sandbox.scripted import ScriptedSandbox
from abaci.types import Execution, ExecutionStatus

LOADED = Execution(status=ExecutionStatus.OK)
EQUAL = Execution(status=ExecutionStatus.OK, result="'equal'")
DIFFERENT = Execution(status=ExecutionStatus.OK, result="'different'")
TIMEOUT = Execution(status=ExecutionStatus.TIMEOUT, error="stopped after 2 s", is_session_lost=True)


def is_call(code: str) -> bool:
    return code.startswith(("compare_answers(", "compare_texts("))


def script(*replies: Execution) -> ScriptedSandbox:
    """A sandbox that loads the algebra and then answers calls with `replies`, the last one for ever."""
    left = list(replies)

    def reply(code: str) -> Execution:
        if not is_call(code):
            return LOADED
        return left.pop(0) if len(left) > 1 else left[0]

    return ScriptedSandbox(reply)


def calls(sandbox: ScriptedSandbox) -> list[str]:
    return [code for code in sandbox.programs if is_call(code)]


@pytest.mark.parametrize(
    ("gold", "pred", "is_equal", "method"),
    [
        (r"\dfrac12", r"\frac{1}{2}", True, "text"),
        ("5", "5.0", True, "text"),
        ("", "5", False, "text"),
        (r"\frac{1}{2}", "0.5", True, "number"),
        ("7500", "75", False, "number"),
        ("1", "1,-2", False, "guard"),
        ("1,2", "1,2,3", False, "guard"),
        (r"(-\infty,0]", r"(-\infty,0)", False, "guard"),
        ("(1,2)", "[1,2]", False, "guard"),
        ("Tom and Jerry", "Jerry", False, "guard"),
        ("Evelyn", "Briana", False, "guard"),
        ("f'", "f", False, "guard"),
        ("204_5", "254_7", False, "guard"),
        ("1,-2", "-2,1", True, "parts"),
        ("(1,2)", "(2,1)", False, "number"),
        (r"\{1,2\}", "2,1", True, "parts"),
        ("x=1,y=2", "y=2,x=1", True, "parts"),
        ("x=1,y=2", "x=2,y=1", False, "number"),
        ("x=1,y=2", "a=1,b=2", False, "guard"),
        ("x=1,x=2", "2,1", True, "parts"),
        ("p=5,q=2;p=7,q=2", "(5,2),(7,2)", True, "parts"),
        (r"\{3\}", "3", True, "parts"),
        ("[1, 2, 3]", "3,2,1", True, "parts"),
        ("x" * 1001, "y" * 1001, False, "guard"),
    ],
)
async def test_cheap_checks_decide_either_way_without_a_session(
    gold: str, pred: str, is_equal: bool, method: str
) -> None:
    sandbox = script(EQUAL)
    async with Grader(sandbox) as grader:
        verdicts = [await grader.compare(gold, pred), await grader.compare(pred, gold)]
    assert [(verdict.is_equal, verdict.method) for verdict in verdicts] == [(is_equal, method)] * 2
    assert sandbox.programs == []


@pytest.mark.parametrize(
    ("execution", "is_equal", "method"),
    [
        (EQUAL, True, "symbolic"),
        (DIFFERENT, False, "symbolic"),
        (Execution(status=ExecutionStatus.OK, result="'unparsable'"), False, "unparsable"),
        (Execution(status=ExecutionStatus.OK, result="'anything else'"), False, "unparsable"),
        (Execution(status=ExecutionStatus.ERROR, error="ValueError: no"), False, "unparsable"),
        (TIMEOUT, False, "timeout"),
        (Execution(status=ExecutionStatus.MEMORY, is_session_lost=True), False, "timeout"),
        (Execution(status=ExecutionStatus.KILLED, is_session_lost=True), False, "timeout"),
    ],
)
async def test_every_end_of_the_algebra_is_a_verdict(execution: Execution, is_equal: bool, method: str) -> None:
    async with Grader(script(execution)) as grader:
        verdict = await grader.compare("x+1", "1+x")
    assert (verdict.is_equal, verdict.method) == (is_equal, method)


HOSTILE = "\"+__import__('os').system('id')+\"'''\\\u2028\n\\x"


async def test_model_text_travels_as_one_literal() -> None:
    sandbox = script(DIFFERENT)
    async with Grader(sandbox) as grader:
        await grader.compare_texts(HOSTILE, "see $x$ and $y$")
    call = ast.parse(calls(sandbox)[0], mode="eval").body
    assert isinstance(call, ast.Call)
    starred = call.args[0]
    assert isinstance(starred, ast.Starred)
    assert isinstance(starred.value, ast.Call)
    assert json.loads(ast.literal_eval(starred.value.args[0]))[0] == HOSTILE


async def test_a_session_loads_the_algebra_once() -> None:
    sandbox = script(EQUAL)
    async with Grader(sandbox, max_workers=1) as grader:
        for letter in "abc":
            await grader.compare(f"{letter}+1", f"1+{letter}")
    assert len(sandbox.programs) == 1 + 3


async def test_a_session_is_replaced_after_a_timeout() -> None:
    sandbox = script(TIMEOUT, EQUAL)
    async with Grader(sandbox, max_workers=1) as grader:
        await grader.compare("x+1", "1+x")
        verdict = await grader.compare("y+1", "1+y")
    assert verdict.is_equal
    assert [is_call(code) for code in sandbox.programs] == [False, True, False, True]
    assert sandbox.max_open_sessions == 1


async def test_a_session_that_answered_an_error_is_kept() -> None:
    sandbox = script(Execution(status=ExecutionStatus.ERROR, error="ValueError: no"), EQUAL)
    async with Grader(sandbox, max_workers=1) as grader:
        await grader.compare("x+1", "1+x")
        await grader.compare("y+1", "1+y")
    assert [is_call(code) for code in sandbox.programs] == [False, True, True]


async def test_every_session_is_closed_with_the_grader() -> None:
    sandbox = script(EQUAL)
    async with Grader(sandbox) as grader:
        await asyncio.gather(*(grader.compare(f"{letter}+1", f"1+{letter}") for letter in "abcd"))
        assert 1 <= sandbox.open_sessions <= 2
    assert sandbox.open_sessions == 0


async def test_a_cancelled_comparison_gives_its_session_up() -> None:
    entered = asyncio.Event()

    async def hang(code: str) -> Execution:
        if not is_call(code):
            return LOADED
        entered.set()
        await asyncio.sleep(60)
        return EQUAL

    sandbox = ScriptedSandbox(hang)
    async with Grader(sandbox, max_workers=1) as grader:
        task = asyncio.create_task(grader.compare("x+1", "1+x"))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sandbox.open_sessions == 0


async def test_a_verdict_is_remembered_for_both_orders() -> None:
    sandbox = script(EQUAL)
    async with Grader(sandbox) as grader:
        await grader.compare("x+1", "1+x")
        await grader.compare("1+x", "x + 1")
    assert len(calls(sandbox)) == 1


async def test_other_rules_are_another_question() -> None:
    sandbox = script(EQUAL)
    async with Grader(sandbox) as grader:
        await grader.compare("x+1", "1+x")
        await grader.compare("x+1", "1+x", Rules(places=2))
    assert len(calls(sandbox)) == 2


async def test_parts_share_one_time_limit() -> None:
    async def slow(code: str) -> Execution:
        if is_call(code):
            await asyncio.sleep(0.2)
        return EQUAL if is_call(code) else LOADED

    async with Grader(ScriptedSandbox(slow), timeout_s=0.3) as grader:
        verdict = await grader.compare("(a+1,b+1,c+1)", "(1+a,1+b,1+c)")
    assert (verdict.is_equal, verdict.method) == (False, "timeout")


async def test_a_sandbox_that_cannot_load_the_algebra_is_a_grading_error() -> None:
    broken = ScriptedSandbox(
        lambda _: Execution(status=ExecutionStatus.ERROR, error="ModuleNotFoundError: math_verify")
    )
    async with Grader(broken) as grader:
        with pytest.raises(GradingError, match=r"cannot load math-verify.*ModuleNotFoundError"):
            await grader.compare("x+1", "1+x")
    assert broken.open_sessions == 0


async def test_a_broken_sandbox_is_not_hidden() -> None:
    async with Grader(ScriptedSandbox({})) as grader:
        with pytest.raises(SandboxError):
            await grader.compare("x+1", "1+x")


async def test_a_closed_grader_says_so() -> None:
    grader = Grader(script(EQUAL))
    async with grader:
        pass
    with pytest.raises(GradingError, match="was closed"):
        await grader.compare("x+1", "1+x")


async def test_leniency_is_a_choice() -> None:
    async with Grader(script(EQUAL), is_lenient=True) as lenient, Grader(script(EQUAL)) as strict:
        assert await lenient.are_equal("7500", "75")
        assert not await strict.are_equal("7500", "75")


async def test_texts_with_one_clear_answer_are_compared_as_answers() -> None:
    sandbox = script(DIFFERENT)
    async with Grader(sandbox) as grader:
        verdict = await grader.compare_texts(r"$\frac12$", r"We add and find $x=\boxed{0.5}$.")
    assert (verdict.is_equal, verdict.method, sandbox.programs) == (True, "number", [])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{5}!", "5"),
        ("$$x^2$$", "x^2"),
        (r"\[ 7 \]", " 7 "),
        ("$1$ and $2$", None),
        (r"\boxed{1} and \boxed{2}", None),
        ("about 5", None),
        ("$", None),
    ],
)
def test_a_sole_answer_is_recognised(text: str, answer: str | None) -> None:
    assert read_sole_answer(text) == answer


def test_the_end_of_a_long_text_is_kept() -> None:
    text = cut_text("word " * MAX_TEXT_CHARS + "end")
    assert len(text) <= MAX_TEXT_CHARS
    assert text.startswith("word")
    assert text.endswith("end")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (r"\pm2", "2,-2"),
        ("1<x<2", "(1,2)"),
        (r"[0,1]\cup[2,3]", r"[2,3]\cup[0,1]"),
        ("x+1", "y"),
        (r"\emptyset", r"\{1,2\}"),
    ],
)
def test_what_form_cannot_decide_is_left_whole(first: str, second: str) -> None:
    assert plan_comparison(first, second) == Whole()


def test_intervals_go_part_by_part_in_order() -> None:
    assert plan_comparison("[0,a)", "[0,b)") == PartByPart(("0", "a"), ("0", "b"), is_ordered=True)


def test_a_word_is_no_number() -> None:
    assert isinstance(plan_comparison("Evelyn", "5"), Different)


async def test_a_part_left_without_time_is_asked_again() -> None:
    slow = {"left": 1}

    async def reply(code: str) -> Execution:
        if is_call(code) and slow["left"]:
            slow["left"] -= 1
            await asyncio.sleep(0.3)
        return EQUAL if is_call(code) else LOADED

    async with Grader(ScriptedSandbox(reply), timeout_s=0.3) as grader:
        assert (await grader.compare("(a+1,b+1)", "(1+a,1+b)")).method == "timeout"
        assert (await grader.compare("b+1", "1+b")).is_equal


def test_the_host_never_loads_the_algebra() -> None:
    code = (
        "import sys, abaci.grading.grader, abaci.evaluation.replay, abaci.evaluation.vote, abaci.evaluation.grade;"
        "print(sorted({'sympy', 'math_verify', 'antlr4', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
