"""Rewrites of LaTeX and near-LaTeX answers that change the spelling and never the value.

Every function takes and gives the text of one answer, works in linear time but for nesting (and answers are capped by
the caller), and leaves alone what it does not understand.
"""

from __future__ import annotations

import re

from abaci.answers.extract import match_braces

_FONT = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|mbox|hbox|math(?:rm|bf|it|sf|tt|bb)?|operatorname\*?|boxed|fbox|bold(?:symbol)?)"
    r"\s?(?=\{)"
)
_UNIT_POWER = re.compile(r"\s*(?:\^\s?(?:\d|\{\s?\d\s?\}))?\s*")
_CONNECTIVE = re.compile(r"[\s,;.]*(?:and|or)[\s,;.]*", re.IGNORECASE)
_FUNCTIONS = frozenset({
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "log", "ln",
    "exp", "gcd", "lcm", "max", "min",
})  # fmt: skip
_BLACKBOARD = "\\mathbb"

_FRACTION = re.compile(r"\\frac(?![a-zA-Z])\s?")
_COMMAND_OR_CHAR = re.compile(r"\\[a-zA-Z]+|[0-9a-zA-Z]")
_ROOT = re.compile(r"\\sqrt\s?(\[[^\[\]{}]{1,9}\])?\s?(?:(\d+|[a-zA-Z])|(\\[a-zA-Z]+)(?![a-zA-Z({\[]))")
_BARE_ROOT = re.compile(r"(?<![\\a-zA-Z])sqrt(?=[\s({])")
_SCRIPT = re.compile(r"([\^_])\s?(-?\d+|[a-zA-Z]|\\[a-zA-Z]+(?![a-zA-Z{]))(?!\})")
_PAREN_OPERATOR = re.compile(r"(\\sqrt|\^)\s?(?=\()")


def unwrap_text(text: str) -> str:
    """Drops font commands and keeps what they hold, but for a trailing unit, which goes: `15\\text{ cm}^2` → `15`."""
    font = _FONT.search(text)
    if font is None:
        return text
    closing = match_braces(text)
    pieces, start = [], 0
    while font is not None:
        end = closing.get(font.end())
        if end is None:
            break
        pieces.append(text[start : font.start()])
        content = text[font.end() + 1 : end]
        before = "".join(pieces).rstrip()
        after = _UNIT_POWER.fullmatch(text, end + 1)
        if after is not None and _is_unit(font[0], content, before):
            return before
        pieces.append(_spell_content(font[0], content))
        start = end + 1
        font = _FONT.search(text, start)
    return "".join(pieces) + text[start:]


def _is_unit(command: str, content: str, before: str) -> bool:
    if command.startswith(("\\boxed", "\\fbox", "\\operatorname", "\\mathbf", _BLACKBOARD, "\\bold")):
        return False
    if command.startswith("\\math") and len(content.strip(" ~")) == 1:
        return False
    return bool(before) and before[-1] not in "=<>,;:([{+-*/^_&|\\" and not _CONNECTIVE.fullmatch(content)


def _spell_content(command: str, content: str) -> str:
    stripped = content.strip(" ~")
    if command.startswith(_BLACKBOARD):
        return f"\\mathbb{{{content}}}" if len(content) != 1 else f"\\mathbb {content}"
    if _CONNECTIVE.fullmatch(content):
        return ","
    if stripped in _FUNCTIONS:
        return f"\\{stripped} "
    return content


def brace_fractions(text: str) -> str:
    """`\\frac12`, `\\frac1{72}`, `\\frac{1}2` → `\\frac{…}{…}`."""
    pieces, start = [], 0
    closing: dict[int, int] | None = None
    for command in _FRACTION.finditer(text):
        if command.start() < start:
            continue
        closing = match_braces(text) if closing is None else closing
        top = _read_argument(text, command.end(), closing)
        bottom = None if top is None else _read_argument(text, top[1], closing)
        if top is None or bottom is None:
            continue
        # Only the command's own spelling changes here; a fraction inside a braced argument is handled by the next pass.
        pieces.append(f"{text[start : command.start()]}\\frac{{{top[0]}}}{{{bottom[0]}}}")
        start = bottom[1]
    return "".join(pieces) + text[start:]


def _read_argument(text: str, start: int, closing: dict[int, int]) -> tuple[str, int] | None:
    if text.startswith(" ", start):
        start += 1
    if text.startswith("{", start):
        end = closing.get(start)
        return None if end is None else (text[start + 1 : end].strip(), end + 1)
    item = _COMMAND_OR_CHAR.match(text, start)
    return None if item is None else (item[0], item.end())


def brace_roots(text: str) -> str:
    """`\\sqrt2`, `sqrt(2)`, `\\sqrt(2)` → `\\sqrt{2}`; `x^(1/2)` → `x^{1/2}`."""
    text = _BARE_ROOT.sub(r"\\sqrt", text)
    text = _ROOT.sub(lambda m: f"\\sqrt{m[1] or ''}{{{m[2] or m[3]}}}", text)
    return _brace_parentheses(text)


def _brace_parentheses(text: str) -> str:
    closing = _match_parentheses(text)
    pieces, start = [], 0
    for operator in _PAREN_OPERATOR.finditer(text):
        end = closing.get(operator.end())
        if end is None or operator.start() < start:
            continue
        pieces.append(f"{text[start : operator.start()]}{operator[1]}{{{text[operator.end() + 1 : end]}}}")
        start = end + 1
    return "".join(pieces) + text[start:]


def _match_parentheses(text: str) -> dict[int, int]:
    pairs: dict[int, int] = {}
    stack: list[int] = []
    for index, char in enumerate(text):
        if char == "(":
            stack.append(index)
        elif char == ")" and stack:
            pairs[stack.pop()] = index
    return pairs


def brace_scripts(text: str) -> str:
    """`x^2`, `x^10`, `a_1` → `x^{2}`, `x^{10}`, `a_{1}`."""
    return _SCRIPT.sub(r"\1{\2}", text)


def strip_outer_braces(text: str) -> str:
    """`{5}` → `5`: braces around everything mean nothing."""
    if not text.startswith("{"):
        return text
    closing, depth = match_braces(text), 0
    while text.startswith("{", depth) and closing.get(depth) == len(text) - 1 - depth:
        depth += 1
    return text[depth : len(text) - depth].strip()
