r"""Reading what a model wrote between two program runs: prose, the last program, and outputs it made up.

A chunk is the text of one generation call; `abaci.answers.blocks` says what a block is. Where this departs from the
released code of ToRA (Gou et al. 2024, arXiv 2309.17452):

* A chunk that ends with a program is executed even when `\boxed` stands in its prose or in a comment.
* A fence left open when the model stopped by itself is closed: servers that strip stop strings do it, small models too.
* A fence may be indented; its program is dedented.
* An output block that the model wrote itself is cut off with all that follows: the real output takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from abaci.answers.blocks import FENCE, Block, read_blocks

OUTPUT_OPENING = f"{FENCE}output"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk, read. `kept` is the text that stays in the chain; `prose` is what stands outside Python blocks."""

    kept: str
    prose: str
    program: str | None
    """The last Python block, when the chunk ends with it and so asks for it to be run."""


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
    blocks = read_blocks(body)
    cut = _invented_at(body, blocks)
    if cut is not None:
        kept = body = body[:cut]
        blocks = [block for block in blocks if block.end <= cut]
    last = blocks[-1] if blocks else None
    program: str | None = None
    if last is not None and last.is_python and last.content.strip():
        if last.is_closed and not body[last.end :].strip():
            program = last.content
        elif not last.is_closed and has_stopped:
            program, kept = last.content, f"{body.rstrip()}\n{FENCE}\n"
    return Chunk(kept=kept, prose=_prose(body, blocks), program=program)


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


def _invented_at(text: str, blocks: list[Block]) -> int | None:
    """Where the first made-up output begins: an output block right after a Python block."""
    for before, block in pairwise(blocks):
        is_adjacent = before.is_python and not text[before.end : block.start].strip()
        if is_adjacent and (block.is_output or not block.info):
            return block.start
    return None


def _prose(text: str, blocks: list[Block]) -> str:
    parts, offset = [], 0
    for block in blocks:
        if block.is_python:
            parts.append(text[offset : block.start])
            offset = block.end
    parts.append(text[offset:])
    return "\n".join(part.strip("\n") for part in parts if part.strip())
