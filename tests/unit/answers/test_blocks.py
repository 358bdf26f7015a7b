"""Finding fenced blocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from abaci.answers.blocks import read_blocks


def contents(text: str) -> list[tuple[str, str, bool]]:
    return [(block.info, block.content, block.is_closed) for block in read_blocks(text)]


def test_a_fence_opens_and_the_next_closes() -> None:
    assert contents("a\n```python\nx\n```\nb\n```output\n1\n```") == [("python", "x\n", True), ("output", "1\n", True)]


def test_whatever_stands_behind_a_closing_fence_it_closes() -> None:
    assert contents("```text\nx\n```python\ny\n") == [("text", "x\n", True)]


def test_an_output_opens_where_a_program_should_have_been_closed() -> None:
    assert contents("```python\nx\n```output\n1\n```\n") == [("python", "x\n", False), ("output", "1\n", True)]


def test_an_open_block_reaches_to_the_end() -> None:
    assert contents("```python\nx") == [("python", "x", False)]


def test_a_block_under_an_indented_fence_is_dedented() -> None:
    assert contents("- so\n  ```py\n  if a:\n    b\n  ```\n") == [("py", "if a:\n  b\n", True)]


def test_a_deeply_indented_fence_is_content() -> None:
    assert contents("```\n" + " " * 9 + "```\n```") == [("", " " * 9 + "```\n", True)]


def test_a_form_feed_starts_no_line() -> None:
    assert contents("a\f```python\nx") == []


def test_info_words_tell_programs_from_outputs() -> None:
    assert [
        (b.is_python, b.is_output) for b in read_blocks("```\n```\n```Python\n```\n```stdout\n```\n```latex\n```")
    ] == [
        (True, False),
        (True, False),
        (False, True),
        (False, False),
    ]


@given(st.lists(st.sampled_from(["```", "```python", "```output", "\n", "  ", "x", "\r\n"]), max_size=30).map("".join))
def test_blocks_lie_in_order_within_the_text(text: str) -> None:
    offset = 0
    for block in read_blocks(text):
        assert offset <= block.start < block.end <= len(text)
        assert text[block.start : block.end].lstrip(" \t").startswith("```")
        offset = block.end
