# ruff: noqa: SIM905 - lists of words read best as running text
"""Plans: a program of plain arithmetic with a word of the question before each number.

To write the word is to decide which quantity is meant; the number beside it is then only looked up.
"""

from __future__ import annotations

import re

from training import words

NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\d])")
_LITERAL = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
_ARITHMETIC = re.compile(r"(?:[A-Za-z]\w* = [\w\s.+\-*/()]+\n)*print\([\w\s.+\-*/()]+\)")
_CLAUSE_END = re.compile(r"[.?!;,]|\b(?:and|but|while|if)\b")
_EMPTY = frozenset(
    "a an the of in on at to for and or is are was were be been has have had he she they it his her their its with by"
    " from as if then than that this these there will can more many each every per another other so but only also"
    " new total different same out up off how much what if when does do did had him them".split()
)
"""Words that do not tell what a number counts."""


def is_arithmetic(code: str) -> bool:
    """Whether the program consists of named results and one print of plain arithmetic."""
    return _ARITHMETIC.fullmatch(code) is not None


def sentence(plan: str) -> str:
    """The plan as a rationale of its own: every label behind a blank, as in the question, to be the same tokens."""
    return "Plan: " + plan.replace("(", "( ")


def labelled(question: str, code: str) -> str:
    """The plan: `friends 48 + friends 48 / 2`; lines before the last one are kept, with semicolons between."""

    def one(match: re.Match[str]) -> str:
        label = _label(question, match.group())
        return f"{label} {match.group()}" if label else match.group()

    lines = [re.sub(r"^print\((.*)\)$", r"\1", line) for line in code.split("\n")]
    return "; ".join(_LITERAL.sub(one, line) for line in lines)


def _label(question: str, number: str) -> str:
    """What the question counts with `number`: the first telling word of the three after it, else the one before."""
    for match in [*NUMBER.finditer(question), *_spelled(question, number)]:
        if match.group().replace(",", "") == number or not match.group()[0].isdigit():
            after = re.findall(r"[A-Za-z]+", _CLAUSE_END.split(question[match.end() :], maxsplit=1)[0])[:3]
            before = re.findall(r"[A-Za-z]+", question[: match.start()])[-2:]
            return next((word for word in [*after, *reversed(before)] if word.lower() not in _EMPTY), "")
    return ""


def _spelled(question: str, number: str) -> list[re.Match[str]]:
    """Where the number is written as a word."""
    if not number.isdigit() or not 2 <= int(number) < 100:
        return []
    return list(re.finditer(rf"\b{words.number_word(int(number))}\b(?!-)", question, re.IGNORECASE))
