"""The sandbox contract, over every isolation tier: what a program gives, keeps, and says when it fails."""

from __future__ import annotations

import re

import pytest

from abaci.sandbox.base import Sandbox, Session
from abaci.types import ExecutionStatus

pytestmark = pytest.mark.asyncio(loop_scope="module")

OK, ERROR = ExecutionStatus.OK, ExecutionStatus.ERROR


# --- what a program gives ---------------------------------------------------------------------------------------------


async def test_what_is_printed_is_stdout(session: Session) -> None:
    execution = await session.execute("print('a', 1); print('é∑')")
    assert (execution.status, execution.stdout) == (OK, "a 1\né∑\n")


async def test_standard_error_is_part_of_stdout_in_order(session: Session) -> None:
    execution = await session.execute("import sys\nprint(1)\nprint(2, file=sys.stderr)\nprint(3)")
    assert execution.stdout == "1\n2\n3\n"


async def test_output_written_below_python_is_captured(session: Session) -> None:
    code = "import os, ctypes\nos.write(1, b'raw ')\nos.write(2, b'err ')\nctypes.CDLL(None).printf(b'from c')"
    assert (await session.execute(code)).stdout == "raw err from c"


async def test_the_last_expression_is_the_result_and_is_not_printed(session: Session) -> None:
    execution = await session.execute("x = 6\nx * 7")
    assert (execution.result, execution.stdout) == ("42", "")


@pytest.mark.parametrize("code", ["x = 1", "None", "print(1)", "", "for i in [1]:\n    i", "# nothing"])
async def test_a_program_without_a_final_value_has_no_result(session: Session, code: str) -> None:
    execution = await session.execute(code)
    assert (execution.status, execution.result) == (OK, None)


async def test_symbolic_results_read_like_mathematics(session: Session) -> None:
    execution = await session.execute("from sympy import *\nx = symbols('x')\nsolve(x**2 - 2, x)")
    assert execution.result == "[-sqrt(2), sqrt(2)]"


async def test_a_value_whose_repr_fails_is_still_a_success(session: Session) -> None:
    code = "class Odd:\n    def __repr__(self):\n        raise ValueError('no')\nOdd()"
    execution = await session.execute(code)
    assert execution.status is OK
    assert execution.result == "<Odd object whose repr failed: ValueError: no>"


async def test_a_huge_result_is_cut_in_the_middle(session: Session) -> None:
    result = (await session.execute("'a' * 10**6 + 'z'")).result
    assert result is not None
    assert len(result) <= 64 * 1024
    assert result.startswith("'aaa")
    assert result.endswith("az'")


async def test_large_integers_can_be_printed(session: Session) -> None:
    assert len((await session.execute("print(3**20000)")).stdout) == 9544


async def test_the_duration_is_that_of_the_program(session: Session) -> None:
    execution = await session.execute("import time\ntime.sleep(0.2)")
    assert 0.2 <= execution.duration_s < 5


# --- state ------------------------------------------------------------------------------------------------------------


async def test_variables_functions_and_imports_stay(session: Session) -> None:
    await session.execute("import math\nr = 2\ndef area():\n    return math.pi * r**2")
    assert (await session.execute("round(area(), 3)")).result == "12.566"


async def test_state_stays_after_an_error(session: Session) -> None:
    await session.execute("kept = 1\nraise ValueError")
    assert (await session.execute("kept")).result == "1"


async def test_programs_run_as_main(session: Session) -> None:
    code = "import pickle\nclass P:\n    a = 1\nprint(__name__)\npickle.loads(pickle.dumps(P())).a"
    execution = await session.execute(code)
    assert (execution.stdout, execution.result) == ("__main__\n", "1")


async def test_a_redirected_stdout_does_not_reach_the_next_program(session: Session) -> None:
    await session.execute("import io, sys\nsys.stdout = io.StringIO()\nprint('lost')")
    assert (await session.execute("print('seen')")).stdout == "seen\n"


@pytest.mark.parametrize("code", ["sys.stdout.close()", "sys.stdout.detach()", "del sys.stdout", "sys.stdin.close()"])
async def test_broken_streams_are_whole_again_for_the_next_program(session: Session, code: str) -> None:
    await session.execute(f"import sys\n{code}")
    execution = await session.execute("print('seen')\ninput()")
    assert (execution.stdout, execution.error) == ("seen\n", "EOFError: EOF when reading a line")


async def test_sessions_do_not_share_random_numbers(sandbox: Sandbox) -> None:
    code = "import random, numpy\n(random.random(), float(numpy.random.random()))"
    async with sandbox.session() as one, sandbox.session() as two:
        first, second = (await one.execute(code)).result, (await two.execute(code)).result
    assert first is not None
    assert second is not None
    assert not set(re.findall(r"0\.\d+", first)) & set(re.findall(r"0\.\d+", second))


# --- errors -----------------------------------------------------------------------------------------------------------


async def test_an_error_has_its_last_line_and_the_programs_traceback(session: Session) -> None:
    execution = await session.execute("def f(n):\n    return 1 / n\nf(0)")
    assert (execution.status, execution.error) == (ERROR, "ZeroDivisionError: division by zero")
    assert execution.traceback is not None
    assert '"<program 1>", line 3, in <module>\n    f(0)' in execution.traceback
    assert '"<program 1>", line 2, in f\n    return 1 / n' in execution.traceback


async def test_a_traceback_hides_the_frames_of_libraries(session: Session) -> None:
    execution = await session.execute("import json\njson.loads('{')")
    assert execution.traceback is not None
    assert execution.traceback.count("File ") == 1
    assert "json/decoder.py" not in execution.traceback


async def test_a_traceback_shows_the_source_of_an_earlier_program(session: Session) -> None:
    await session.execute("def f():\n    return missing")
    execution = await session.execute("f()")
    assert execution.traceback is not None
    assert '"<program 1>", line 2, in f\n    return missing' in execution.traceback


async def test_a_chained_error_shows_both(session: Session) -> None:
    execution = await session.execute("try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e")
    assert execution.error == "KeyError: 'k'"
    assert execution.traceback is not None
    assert "The above exception was the direct cause" in execution.traceback


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("x = = 1", "SyntaxError: invalid syntax"),
        ("def f(:", "SyntaxError: invalid syntax"),
        ("x\x00", "SyntaxError: source code string cannot contain null bytes"),
        ("x = '\ud800'", "UnicodeEncodeError: "),
        ("(" * 300 + ")" * 300, "SyntaxError: too many nested parentheses"),
        ("input()", "EOFError: EOF when reading a line"),
        ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
    ],
)
async def test_a_broken_program_is_an_error(session: Session, code: str, error: str) -> None:
    execution = await session.execute(code)
    assert execution.status is ERROR
    # Python 3.11.3 and older call a null byte a ValueError.
    assert (execution.error or "").replace("ValueError: source", "SyntaxError: source").startswith(error)


async def test_output_before_an_error_is_kept(session: Session) -> None:
    execution = await session.execute("print('before', end='')\n1/0")
    assert (execution.status, execution.stdout) == (ERROR, "before")


@pytest.mark.parametrize("code", ["exit()", "exit(0)", "raise SystemExit", "import sys\nsys.exit()"])
async def test_exit_ends_the_program_well_and_keeps_the_session(session: Session, code: str) -> None:
    execution = await session.execute(f"x = 1\nprint('out')\n{code}")
    assert (execution.status, execution.stdout, execution.is_session_lost) == (OK, "out\n", False)
    assert (await session.execute("x")).result == "1"


async def test_exit_with_a_code_is_an_error(session: Session) -> None:
    execution = await session.execute("exit(3)")
    assert (execution.status, execution.error, execution.is_session_lost) == (ERROR, "SystemExit: 3", False)
