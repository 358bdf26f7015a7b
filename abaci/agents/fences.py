r"""Reading what a model wrote between two program runs: prose, the last program, and outputs it made up.

A chunk is the text of one generation call. A line that starts with three backticks opens a block, the next such line
closes it (Gou et al. 2024, arXiv 2309.17452, and its released code). Where this departs from that code:

* A chunk that ends with a program is executed even when `\boxed` stands in its prose or in a comment.
* A fence left open when the model stopped by itself is closed: servers that strip stop strings do it, small models too.
* A fence may be indented, as models do in lists, by as much as `abaci.answers.extract` accepts; its
  program is dedented.
* An output block that the model wrote itself is cut off with all that follows: the real output takes its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from textwrap import dedent

FENCE = "```"
MAX_INDENT = 8
"""Blanks before a fence; a line indented further is content."""
OUTPUT_OPENING = "```output"
# Not `splitlines`: it also breaks at form feeds and Unicode separators, which stand within lines of programs.
_LINE_START = re.compile(r"(?<=\n)")
_PYTHON = frozenset({"", "py", "python", "python3", "sympy"})
_OUTPUT = frozenset({"output", "outputs", "out", "text", "txt", "stdout", "console", "result", "plaintext"})


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its info word, its content, and the offsets of its first and last character (exclusive)."""

    info: str
    content: str
    start: int
    end: int
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk, read. `kept` is the text that stays in the chain; `prose` is what stands outside Python blocks."""

    kept: str
    prose: str
    program: str | None
    """The last Python block, when the chunk ends with it and so asks for it to be run."""
    is_invented: bool
    """True when the model wrote an output block itself, which was cut off."""


def read_chunk(text: str, *, has_stopped: bool) -> Chunk:
    """Read one chunk.

    Args:
        text: what one generation call gave, stop string included.
        has_stopped: the model ended by itself or by a stop string; False when a limit cut it off, in which case an open
            fence is an unfinished program and not run.
    """
    # Read without the opening of the real output: where a model forgot to close its program, that line would do it, and
    # every later reader of the chain would take what follows the output for code.
    kept, body = text, _without_opening(text)
    blocks = _blocks(body)
    cut = _invented_at(body, blocks)
    if cut is not None:
        kept = body = body[:cut]
        blocks = [block for block in blocks if block.end <= cut]
    last = blocks[-1] if blocks else None
    program: str | None = None
    if last is not None and last.info in _PYTHON and last.content.strip():
        if last.is_closed and not body[last.end :].strip():
            program = last.content
        elif not last.is_closed and has_stopped:
            program, kept = last.content, f"{body.rstrip()}\n{FENCE}\n"
    return Chunk(kept=kept, prose=_prose(body, blocks), program=program, is_invented=cut is not None)


def output_block(chain: str, output: str) -> str:
    """What to append to `chain` (which ends with a program) so that `output` stands in an output block."""
    border = "" if chain.endswith("\n") else "\n"
    opening = "" if chain.rstrip().endswith(OUTPUT_OPENING) else f"{OUTPUT_OPENING}\n"
    return f"{border}{opening}{output}\n{FENCE}\n"


def escape_fences(output: str) -> str:
    """`output` with lines that would close its block made harmless: program output is hostile, too."""
    return output.replace(FENCE, "'''")


def _without_opening(text: str) -> str:
    stripped = text.rstrip()
    return stripped[: -len(OUTPUT_OPENING)] if stripped.endswith(OUTPUT_OPENING) else text


def _blocks(text: str) -> list[Block]:
    blocks: list[Block] = []
    start: int | None = None
    info, content_start, offset, is_indented = "", 0, 0, False
    for line in _LINE_START.split(text):
        end = offset + len(line)
        fence = line.lstrip(" \t")
        if fence.startswith(FENCE) and len(line) - len(fence) <= MAX_INDENT:
            word = fence[len(FENCE) :].strip().lower()
            if start is not None and info in _PYTHON and word in _OUTPUT:
                # An output opens where a program should have been closed: the program ends here, still open.
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


def _invented_at(text: str, blocks: list[Block]) -> int | None:
    """Where the first made-up output begins: an output block right after a Python block."""
    for before, block in pairwise(blocks):
        is_adjacent = before.info in _PYTHON and not text[before.end : block.start].strip()
        if is_adjacent and (block.info in _OUTPUT or block.info == ""):
            return block.start
    return None


def _prose(text: str, blocks: list[Block]) -> str:
    parts, offset = [], 0
    for block in blocks:
        if block.info in _PYTHON:
            parts.append(text[offset : block.start])
            offset = block.end
    parts.append(text[offset:])
    return "\n".join(part.strip("\n") for part in parts if part.strip())
