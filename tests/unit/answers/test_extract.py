"""Reading the final answer out of a text."""

from __future__ import annotations

import time

import pytest

from abaci.answers.extract import MAX_ANSWER_CHARS, Rule, extract_answer, extract_boxed, find_answer


@pytest.mark.parametrize(
    ("text", "boxed"),
    [
        (r"so $\boxed{\frac{1}{2}}$.", r"\frac{1}{2}"),
        (r"\boxed{1} and then \boxed{2}", "2"),
        (r"\fbox{7}", "7"),
        (r"\boxed 5.", "5"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\text{a } b}}", r"\text{a } b"),
        (r"\boxed{3} but \boxed{}", "3"),
        (r"\boxed{3} but \boxed{4", "3"),
        ("a boxed set of 4", None),
        (r"\boxed{4", None),
        ("", None),
    ],
)
def test_last_closed_box_is_read(text: str, boxed: str | None) -> None:
    assert extract_boxed(text) == boxed


@pytest.mark.parametrize(
    ("text", "answer", "rule"),
    [
        (r"The answer is 3, that is \boxed{4}.", "4", Rule.BOXED),
        ("The answer is 42. I hope it is correct.", "42", Rule.ANSWER_IS),
        ("First the answer is 1. No, the answer is $\\frac12$ metres.", "\\frac12", Rule.ANSWER_IS),
        ("**Answer:** 3.5", "3.5", Rule.ANSWER_IS),
        ("The answer is: **73**.", "73", Rule.ANSWER_IS),
        (r"so we get \boxed{12", "12", Rule.OPEN_BOX),
        (r"The answer is $\boxed{12", "12", Rule.OPEN_BOX),
        ("```output\n8\n```\nThe answer is $\\boxed{", "8", Rule.OUTPUT),
        ("```output\n8\n```\nThe answer is $\\", "8", Rule.OUTPUT),
        ("```python\nprint(8)\n```\n```output\nsteps\n8\n```\n", "8", Rule.OUTPUT),
        ("It costs $1,234.50 in 2 shops, 17 in all.", "17", Rule.NUMBER),
        ("a total of 1,234.50", "1234.50", Rule.NUMBER),
    ],
)
def test_rules_apply_in_order(text: str, answer: str, rule: Rule) -> None:
    assert find_answer(text) == (answer, rule)


def test_only_boxes_and_stated_answers_count_as_marked() -> None:
    marks = {rule: find_answer(text).is_marked for rule, text in _EXAMPLES.items()}  # type: ignore[union-attr]
    assert marks == {
        Rule.BOXED: True,
        Rule.ANSWER_IS: True,
        Rule.OPEN_BOX: False,
        Rule.OUTPUT: False,
        Rule.NUMBER: False,
    }


_EXAMPLES = {
    Rule.BOXED: r"\boxed{1}",
    Rule.ANSWER_IS: "the answer is 1",
    Rule.OPEN_BOX: r"\boxed{1",
    Rule.OUTPUT: "```output\n1\n```",
    Rule.NUMBER: "about 1",
}


def test_a_box_in_a_program_is_not_an_answer() -> None:
    text = '```python\nprint(r"\\boxed{3}")\n```\n```output\n4\n```\n'
    assert find_answer(text) == ("4", Rule.OUTPUT)


@pytest.mark.parametrize("printed", ["\\boxed{4}", "so \\boxed{4} it is", "1\n4"])
def test_what_a_program_printed_is_an_answer_that_nobody_marked(printed: str) -> None:
    found = find_answer(f"```python\nprint(f(3))\n```\n```output\n{printed}\n```\n")
    assert found == ("4", Rule.OUTPUT)
    assert not found.is_marked


@pytest.mark.parametrize("printed", ["The answer is 5", "\\boxed{5}"])
def test_what_the_writer_marked_counts_more_than_what_a_program_printed(printed: str) -> None:
    text = f"The answer is 4. Let me check.\n```python\ncheck()\n```\n```output\n{printed}\n```\nIt is not."
    assert find_answer(text) == ("4", Rule.ANSWER_IS)


def test_an_output_that_closes_its_program_is_read() -> None:
    assert find_answer("```python\nprint(4)\n```output\n4\n```\n") == ("4", Rule.OUTPUT)


@pytest.mark.parametrize("output", ["TypeError: bad operand", "Timeout Error", "Done", "sympy.SympifyError: x"])
def test_a_failed_program_gives_no_answer(output: str) -> None:
    assert extract_answer(f"```python\nf()\n```\n```output\n{output}\n```\n") is None


def test_numbers_of_a_program_are_no_answer() -> None:
    assert extract_answer("Let us compute.\n```python\nx = 5\n```") is None


@pytest.mark.parametrize("empty", [r"\boxed{}", r"The answer is $\boxed{}$.", r"It is \boxed{ }"])
def test_an_empty_box_is_no_answer(empty: str) -> None:
    assert extract_answer(empty) is None
    assert find_answer(f"There are 3. {empty}") == ("3", Rule.NUMBER)


def test_an_oversized_box_is_no_answer() -> None:
    assert extract_answer(f"\\boxed{{{'x' * (MAX_ANSWER_CHARS + 1)}}}") is None


@pytest.mark.parametrize(
    "text",
    [
        "\\boxed{" * 20_000,
        "\\boxed{{" * 20_000,
        "{" * 100_000 + "\\boxed{",
        "\\boxed" + " " * 100_000,
        "answer is " * 10_000,
        "```" * 40_000,
        "1,000" * 20_000,
        "-" * 100_000,
    ],
    ids=lambda text: text[:12],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    started = time.monotonic()
    find_answer(text)
    assert time.monotonic() - started < 5
