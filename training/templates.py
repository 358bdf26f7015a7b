"""A small template language for wording: alternatives, shared parts, slots.

`[a|b|~c]` chooses one alternative, may be nested, and `~` marks an alternative reserved for the held-out phrasings:
it never occurs in training. `<name>` is a shared part from `training.parts`. `{slot}` is filled with a value last, so
values may hold any character; `{p.his}` reads an attribute.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from training.parts import PARTS

SLOT = re.compile(r"\{([a-zA-Z_]\w*(?:\.\w+)?)\}")
_TOKEN = re.compile(r"[\[\]|]|<\w+>")

Node = str | list["Choice"]


@dataclass(frozen=True)
class Choice:
    """One alternative: a sequence of texts and further choices."""

    parts: tuple[Node, ...]
    is_reserved: bool


_parsed: dict[str, Choice] = {}


def parse(template: str) -> Choice:
    """The tree of `template`. Raises `ValueError` for unbalanced brackets."""
    if template not in _parsed:
        position, choices = _alternatives(template, 0, is_top=True)
        if position != len(template) or len(choices) != 1:
            raise ValueError(f"unbalanced template: {template!r}")
        _parsed[template] = choices[0]
    return _parsed[template]


def _alternatives(text: str, at: int, *, is_top: bool = False) -> tuple[int, list[Choice]]:
    """Alternatives from `at` to the closing bracket (or the end, at the top)."""
    choices: list[Choice] = []
    parts: list[Node] = []

    def close() -> None:
        is_reserved = bool(parts) and isinstance(parts[0], str) and parts[0].startswith("~")
        if is_reserved:
            parts[0] = str(parts[0])[1:]
        choices.append(Choice(tuple(parts), is_reserved))
        parts.clear()

    while at < len(text):
        found = _TOKEN.search(text, at)
        if found is None:
            parts.append(text[at:])
            at = len(text)
            break
        if found.start() > at:
            parts.append(text[at : found.start()])
        mark, at = found.group(), found.end()
        if mark == "[":
            at, inner = _alternatives(text, at)
            parts.append(inner)
        elif mark == "]":
            close()
            return at, choices
        elif mark == "|" and not is_top:
            close()
        elif mark == "|":
            parts.append("|")
        else:
            _, inner = _alternatives(PARTS[mark[1:-1]] + "]", 0)
            parts.append(inner)
    if not is_top:
        raise ValueError(f"unbalanced template: {text!r}")
    close()
    return at, choices


def has_reserved(choice: Choice) -> bool:
    """Whether any alternative below is reserved."""
    return choice.is_reserved or any(
        has_reserved(option) for node in choice.parts if not isinstance(node, str) for option in node
    )


class Wording:
    """Expands templates for one problem; `is_held_out` lets reserved alternatives in and prefers them."""

    def __init__(self, rng: random.Random, *, is_held_out: bool) -> None:
        self.rng = rng
        self.is_held_out = is_held_out
        self.reserved_used = 0

    def pick(self, options: list[Choice]) -> Choice:
        """One alternative, by the rule of this split."""
        if not self.is_held_out:
            return self.rng.choice([option for option in options if not option.is_reserved])
        reserved = [option for option in options if has_reserved(option)]
        if reserved and self.rng.random() < 0.6:
            return self.rng.choice(reserved)
        return self.rng.choice(options)

    def expand(self, choice: Choice) -> str:
        """The text of one expansion, slots unfilled."""
        self.reserved_used += choice.is_reserved
        return "".join(node if isinstance(node, str) else self.expand(self.pick(node)) for node in choice.parts)


def fill(text: str, values: dict[str, object]) -> str:
    """`text` with every slot that `values` knows replaced; other braces stay as they are."""

    def value(match: re.Match[str]) -> str:
        name, _, attribute = match.group(1).partition(".")
        if name not in values:
            return match.group()
        found = values[name]
        return str(getattr(found, attribute) if attribute else found)

    return SLOT.sub(value, text)


def sentences(text: str) -> str:
    """`text` with single blanks and a capital at the start of every sentence."""
    text = re.sub(r"[ \t]+", " ", text).strip()
    text = re.sub(r" ([.,?!])(?=\s|$)", r"\1", text)
    return re.sub(r"(^|[.?!] )([a-z])(?=[a-z]* |[a-z]*')", lambda m: m.group(1) + m.group(2).upper(), text)
