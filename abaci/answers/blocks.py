"""Fenced blocks in a text: programs, and the outputs that follow them.

A line that starts with three backticks opens a block, the next such line closes it, whatever stands behind it (Gou et
al. 2024, arXiv 2309.17452, and its released code). A fence may be indented, as models do in lists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import dedent

FENCE = "```"
MAX_INDENT = 8
"""Blanks before a fence; a line indented further is content."""

_PYTHON = frozenset({"", "py", "python", "python3", "sympy"})
_OUTPUT = frozenset({"output", "outputs", "out", "text", "txt", "stdout", "console", "result", "plaintext"})
# Not `splitlines`: it also breaks at form feeds and Unicode separators, which stand within lines of programs.
_LINE_START = re.compile(r"(?<=\n)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its info word, its content, and the offsets of its first and last character (exclusive)."""

    info: str
    content: str
    """Less the common indentation where the fence is indented."""
    start: int
    end: int
    is_closed: bool

    @property
    def is_python(self) -> bool:
        """Whether it may be a program: so it says, or it says nothing."""
        return self.info in _PYTHON

    @property
    def is_output(self) -> bool:
        """Whether it calls itself something printed, by any of the words in use."""
        return self.info in _OUTPUT


def read_blocks(text: str) -> list[Block]:
    """The blocks of `text`, in order; the last one may be open.

    A program that nothing closed before its output opens ends there, open.
    """
    blocks: list[Block] = []
    start: int | None = None
    info, content_start, offset, is_indented = "", 0, 0, False
    for line in _LINE_START.split(text):
        end = offset + len(line)
        fence = line.lstrip(" \t")
        if fence.startswith(FENCE) and len(line) - len(fence) <= MAX_INDENT:
            word = fence[len(FENCE) :].strip().lower()
            if start is not None and info in _PYTHON and word in _OUTPUT:
                blocks.append(Block(info, _content(text[content_start:offset], is_indented), start, offset, False))
                start = None
            if start is None:
                start, info, content_start, is_indented = offset, word, end, len(fence) < len(line)
            else:
                blocks.append(Block(info, _content(text[content_start:offset], is_indented), start, end, True))
                start = None
        offset = end
    if start is not None:
        blocks.append(Block(info, _content(text[content_start:], is_indented), start, len(text), False))
    return blocks


def _content(text: str, is_indented: bool) -> str:
    return dedent(text) if is_indented else text
