from __future__ import annotations

from collections.abc import Callable

import pytest

from abaci.cli.result import exit_code, solution_lines
from abaci.traces.fold import fold_solution
from abaci.types import RunStatus, TraceEvent

MakeEvents = Callable[..., list[TraceEvent]]


def test_the_first_line_is_the_answer_alone(make_events: MakeEvents) -> None:
    assert next(solution_lines(fold_solution(make_events(2)), 80)).plain == "42"


def test_agreement_explanation_and_run_id_follow(make_events: MakeEvents) -> None:
    text = "\n".join(line.plain for line in solution_lines(fold_solution(make_events(2)), 80))
    assert "2 of 2 answered chains agree (confidence 100%)" in text
    assert "I multiply.\n\nprint(6 * 7)" in text
    assert "run_000000000000000000000000 · 2 chains · 14 tokens · 2 programs · 1.5 s" in text


def test_a_long_answer_is_there_once_with_its_lines(make_events: MakeEvents) -> None:
    text = "There are infinitely many primes.\nThey thin out."
    solution = fold_solution(make_events(1)).model_copy(update={"answer": text, "explanation": text, "buckets": ()})
    lines = [line.plain for line in solution_lines(solution, 80)]
    assert lines[0] == text
    assert lines[1] == ""
    assert lines[2].startswith("run_")


def test_an_abstention_says_that_there_is_no_answer(make_events: MakeEvents) -> None:
    assert next(solution_lines(fold_solution(make_events(2, answer=None)), 80)).plain == "no answer"


def test_an_abstention_says_why_where_that_is_known(make_events: MakeEvents) -> None:
    full = fold_solution(make_events(2, answer=None)).model_copy(update={"error": "the prompt has 7896 tokens"})
    assert next(solution_lines(full, 80)).plain == "no answer: the prompt has 7896 tokens"


def test_a_failure_says_why(make_events: MakeEvents) -> None:
    failed = fold_solution(make_events(1, answer=None)).model_copy(
        update={"status": RunStatus.FAILED, "error": "every chain failed:\x1b[2J boom"}
    )
    assert next(solution_lines(failed, 80)).plain == "failed: every chain failed: boom"


@pytest.mark.parametrize("status", [status for status in RunStatus if status is not RunStatus.SOLVED])
def test_only_a_solved_run_exits_with_0(make_events: MakeEvents, status: RunStatus) -> None:
    solved = fold_solution(make_events(1))
    assert exit_code(solved) == 0
    assert exit_code(solved.model_copy(update={"status": status})) == 1
