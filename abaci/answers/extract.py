"""Read the final answer out of a chain's text, and say which rule found it.

Rules, the first that applies: the last closed `\\boxed{…}`, the text after the last "answer is", a box that was never
closed, the last program output, the last number. Fenced blocks are not searched: what a program would print is not yet
an answer, and what it did print, boxed or not, is no answer that the writer has marked; only the rule for outputs reads
it. `abaci.answers.tora.extract_tora` is the published variant of these rules, which reads everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from abaci.answers.blocks import read_blocks

MAX_ANSWER_CHARS = 2000
"""A longer span is no answer: the next rule is tried."""

_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,8}")
_ANSWER_IS = re.compile(r"\banswer(?:\s{1,8}is|\s{0,8}[:=])\s{0,8}:?", re.IGNORECASE)
_BARE = re.compile(r"[^\s$.,;{}\\]+(?:[.,]\d+)*")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_NUMBER = re.compile(r"-?(?<![\d.])(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_FAILURE = re.compile(r"^(?:[\w.]*(?:Error|Exception|Interrupt|Exit)\b|Timeout Error|Done$)")
_OPENERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))


class Rule(StrEnum):
    """Which rule found an answer."""

    BOXED = "boxed"
    ANSWER_IS = "answer_is"
    OPEN_BOX = "open_box"
    """A box whose brace never closed: the text was probably cut off inside it."""
    OUTPUT = "output"
    NUMBER = "number"


class Extraction(NamedTuple):
    """An answer as written, and the rule that found it."""

    text: str
    rule: Rule

    @property
    def is_marked(self) -> bool:
        """True when the writer marked it as the answer; false when it is a guess from what the text happens to hold."""
        return self.rule in (Rule.BOXED, Rule.ANSWER_IS)


def extract_boxed(text: str) -> str | None:
    """The content of the last non-empty `\\boxed{…}`, `\\fbox{…}` (braces balanced) or `\\boxed 5`, or None."""
    openings = list(_BOX.finditer(text))
    closing = match_braces(text) if openings else {}
    for opening in reversed(openings):
        content = _read_box(text, opening.end(), closing)
        if content:
            return content
    return None


def match_braces(text: str) -> dict[int, int]:
    """Where each `{` closes: its index → the index of its `}`. Escaped and unclosed braces do not count."""
    pairs: dict[int, int] = {}
    stack: list[int] = []
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            stack.append(brace.start())
        elif brace[0] == "}" and stack:
            pairs[stack.pop()] = brace.start()
    return pairs


def extract_answer(text: str) -> str | None:
    """The final answer as written, or None where the text holds none."""
    found = find_answer(text)
    return None if found is None else found.text


def find_answer(text: str) -> Extraction | None:
    """The final answer as written together with the rule that found it, or None where the text holds none."""
    prose, output = _split_blocks(text)
    candidates: tuple[tuple[Rule, Callable[[str], str | None], str], ...] = (
        (Rule.BOXED, extract_boxed, prose),
        (Rule.ANSWER_IS, _read_answer_is, prose),
        (Rule.OPEN_BOX, _read_open_box, prose),
        (Rule.OUTPUT, _read_result, output),
        (Rule.NUMBER, _read_number, prose),
    )
    for rule, read, span in candidates:
        found = read(span)
        if found:
            return Extraction(found, rule)
    return None


def _split_blocks(text: str) -> tuple[str, str]:
    """The text outside of blocks, and the content of the last output block."""
    prose: list[str] = []
    output, offset = "", 0
    for block in read_blocks(text):
        prose.append(text[offset : block.start])
        offset = block.end
        if block.info == "output":
            output = block.content
    prose.append(text[offset:])
    return "".join(prose), output


def _read_box(text: str, start: int, closing: dict[int, int]) -> str | None:
    if not text.startswith("{", start):
        bare = _BARE.match(text, start)
        return bare[0] if bare else None
    end = closing.get(start)
    return None if end is None or end - start > MAX_ANSWER_CHARS + 1 else _accept(text[start + 1 : end])


def _read_answer_is(text: str) -> str | None:
    for marker in reversed(list(_ANSWER_IS.finditer(text))):
        line = text[marker.end() : marker.end() + MAX_ANSWER_CHARS].strip(" \t:*").split("\n", 1)[0]
        formula = _read_formula(line)
        if _BOX.search(line if formula is None else formula):
            # It never closes, or is empty: no answer is in these words as they stand.
            continue
        if formula is not None:
            return _accept(formula)
        sentence = _SENTENCE_END.search(line)
        found = _accept(line[: sentence.start()] if sentence else line)
        if found:
            return found
    return None


def _read_formula(line: str) -> str | None:
    """The formula that `line` begins with, without its delimiters; None where there is none, or it is cut off."""
    for opener, closer in _OPENERS:
        end = line.find(closer, len(opener)) if line.startswith(opener) else -1
        if end > 0:
            return line[len(opener) : end]
    return None


def _read_open_box(text: str) -> str | None:
    openings = list(_BOX.finditer(text))
    if not openings or openings[-1].end() in match_braces(text):
        return None
    tail = text[openings[-1].end() :].removeprefix("{")
    return _accept(tail.split("\n", 1)[0].split("$", 1)[0])


def _read_result(output: str) -> str | None:
    boxed = extract_boxed(output)
    if boxed:
        return boxed
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if not lines or _FAILURE.match(lines[-1]):
        return None
    return _accept(lines[-1])


def _read_number(text: str) -> str | None:
    numbers = _NUMBER.findall(text)
    return _accept(numbers[-1].replace(",", "")) if numbers else None


def _accept(span: str) -> str | None:
    answer = span.strip().strip("*").strip().rstrip(".").strip()
    # Of a formula that was cut off, nothing but its opening may be left.
    return answer if answer.strip("$\\ ") and len(answer) <= MAX_ANSWER_CHARS else None
