"""The outer structure of a canonical answer: tuples, intervals, sets and lists, split into their parts."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

_TOKEN = re.compile(r"\\[{}]|\\[a-zA-Z]+|\\.|[()\[\]{},;]|(?<![a-zA-Z\\])(?:and|or)(?![a-zA-Z])", re.DOTALL)
_OPEN = frozenset(("(", "[", "{", "\\{", "\\begin"))
_CLOSE = frozenset((")", "]", "}", "\\}", "\\end"))


class Kind(StrEnum):
    """What surrounds the parts."""

    LIST = "list"
    """Nothing: `1, 2`."""
    SET = "set"
    """Braces: `\\{1, 2\\}`."""
    GROUP = "group"
    """Round or square brackets in any combination: a tuple, an interval, a printed list."""


class Structure(NamedTuple):
    """Parts separated by commas, semicolons or "and", and the brackets around them ("" for a list)."""

    kind: Kind
    opening: str
    closing: str
    parts: tuple[str, ...]


def split_structure(canonical: str) -> Structure | None:
    """The outer structure of an answer, or None where it is a single expression. Linear in the text."""
    tokens = [(token[0], token.start(), token.end()) for token in _TOKEN.finditer(canonical)]
    parts = _split(canonical, tokens, 0, len(canonical))
    if parts is None:
        return None
    if len(parts) > 1:
        return Structure(Kind.LIST, "", "", parts)
    if not tokens or tokens[0][1] != 0 or tokens[-1][2] != len(canonical) or not _is_enclosed(tokens):
        return None
    opening, closing = tokens[0][0], tokens[-1][0]
    inner = _split(canonical, tokens[1:-1], tokens[0][2], tokens[-1][1])
    if inner is None:
        return None
    if (opening, closing) == ("\\{", "\\}"):
        return Structure(Kind.SET, opening, closing, inner)
    if opening in "([" and closing in ")]" and len(inner) > 1:
        return Structure(Kind.GROUP, opening, closing, inner)
    return None


def _split(text: str, tokens: list[tuple[str, int, int]], start: int, end: int) -> tuple[str, ...] | None:
    """The parts between top-level separators, or None where the brackets do not balance. Semicolons bind least."""
    by_semicolon = _split_at(text, tokens, (start, end), (";",))
    if by_semicolon is None or len(by_semicolon) > 1:
        return by_semicolon
    return _split_at(text, tokens, (start, end), (",", "and", "or"))


def _split_at(
    text: str, tokens: list[tuple[str, int, int]], span: tuple[int, int], separators: tuple[str, ...]
) -> tuple[str, ...] | None:
    start, end = span
    depth, parts = 0, []
    for token, left, right in tokens:
        if token in _OPEN:
            depth += 1
        elif token in _CLOSE:
            depth -= 1
            if depth < 0:
                return None
        elif depth == 0 and token in separators:
            parts.append(text[start:left].strip())
            start = right
    if depth != 0:
        return None
    parts.append(text[start:end].strip())
    kept = tuple(part for part in parts if part)
    return kept or None


def _is_enclosed(tokens: list[tuple[str, int, int]]) -> bool:
    """Whether the first bracket closes with the last token and not before."""
    depth = 0
    for index, (token, _, _) in enumerate(tokens):
        depth += (token in _OPEN) - (token in _CLOSE)
        if depth == 0:
            return index == len(tokens) - 1
    return False
