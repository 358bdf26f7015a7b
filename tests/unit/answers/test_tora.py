"""ToRA's own extraction."""

from __future__ import annotations

import pytest

from abaci.answers.tora import extract_tora, read_output, strip_tora


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"makes $\boxed{18}$ dollars", "18"),
        (r"boxed{\frac12} and \boxed{3/4}", "\\frac{3}{4}"),
        (r"$\boxed5$", "5"),
        ("The answer is: 7.\nMore text", "7"),
        ("```output\n12.0\n```\n", "12"),
        ("it takes 3,000 and 14 days", "14"),
        ("nothing here", ""),
        (r"\boxed{open", "open"),
        ("boxed", ""),
    ],
)
def test_rules_apply_in_the_published_order(text: str, answer: str) -> None:
    assert extract_tora(text) == answer


@pytest.mark.parametrize(
    ("raw", "stripped"),
    [
        ("10\\text{ cm}", "10"),
        ("x=5", "5"),
        ("xyz=5", "xyz=5"),
        ("50\\%", "50"),
        ("\\frac12", "\\frac{1}{2}"),
        ("\\frac1{72}", "\\frac{1}{72}"),
        ("\\sqrt2", "\\sqrt{2}"),
        ("1/2", "\\frac{1}{2}"),
        ("01/2", "01/2"),
        (".5", "0.5"),
        ("3j", "3i"),
        ("90^\\circ", "90"),
        ("\\left(1,2\\right)", "(1,2)"),
        ("inf", "\\infty"),
        ("\\frac", "\\frac"),
        ("", ""),
    ],
)
def test_normal_form_is_the_published_one(raw: str, stripped: str) -> None:
    assert strip_tora(raw) == stripped


def test_last_output_block_is_read() -> None:
    assert read_output("```output\n1\n```\ntext\n```output\n2\n3\n```\n") == "2\n3"
