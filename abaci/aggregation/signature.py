"""What two atoms must share exactly before they may be one: embeddings put "x = 3" beside "x = 5"."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from abaci.types import Value

_TOKEN = re.compile(
    r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"  # numbers
    r"|\\[A-Za-z]+|[A-Za-z]+(?:'[a-z]+)?"  # commands and words
    r"|<=|>=|!=|\*\*|[=<>+\-*/^%|]|[^\x00-\x7f]"
)
_ENUMERATOR = re.compile(r"^\W*(?:step\s*)?\d+\s*[.):](?!\d)", re.IGNORECASE | re.MULTILINE)
_MATHEMATICAL = frozenset({"Sm", "No", "Nl"})
"""Unicode categories: mathematical symbols, and numbers such as ² and ½."""


def signature(text: str) -> tuple[str, ...]:
    """What of `text` must agree exactly, in its order.

    Numbers, signs, relations and operators, names of unknowns, negations, and words whose opposite embeds alike. A word
    and a sign for the same thing are the same.
    """
    tokens = _TOKEN.findall(text.replace("’", "'"))
    found = (_significant(token, tokens[place + 1 : place + 2]) for place, token in enumerate(tokens))
    return tuple(token for token in found if token is not None)


def digits(text: str) -> frozenset[str]:
    """The numbers that `text` writes in digits, in one form each; those that count its lines or steps are left out."""
    tokens = _TOKEN.findall(_ENUMERATOR.sub("", text))
    return frozenset(_plain_number(token) for token in tokens if token[0].isdigit())


class _Words(Value):
    forms: dict[str, str]
    """Numbers, negations, relations, operations: every way to write them, and the one they count as."""
    relations: frozenset[str]
    opposites: frozenset[str]
    typesetting: frozenset[str]


@cache
def _words() -> _Words:
    data = tomllib.loads(files(__package__).joinpath("signature.toml").read_text(encoding="utf-8"))
    relations = _by_form(data["relations"])
    numbers = {word: str(value) for value, word in enumerate(data["numbers"])}
    negations = dict.fromkeys(data["negations"], "not")
    return _Words(
        forms={**numbers, **data["quantities"], **negations, **relations, **_by_form(data["operations"])},
        relations=frozenset(relations),
        opposites=frozenset(data["opposites"]),
        typesetting=frozenset(data["typesetting"]),
    )


def _by_form(table: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {form: name for name, forms in table.items() for form in forms}


def _significant(token: str, following: Sequence[str]) -> str | None:
    """The token's form in a signature; None: it may differ."""
    words, word = _words(), token.lower()
    if token[0].isdigit() or token[0] == ".":
        return _plain_number(token)
    if word in words.forms:
        return words.forms[word]
    if word.endswith("n't"):
        return "not"
    if word in words.opposites or token in "%|":
        return word
    if not token.isascii():
        return token if _is_mathematical(token) else None
    if token.startswith("\\"):
        # Commands are mathematics: \sin is not \cos.
        return None if word in words.typesetting else token
    is_unknown = len(token) == 1 and not _is_word(token, following)
    return token if is_unknown else None


def _is_word(letter: str, following: Sequence[str]) -> bool:
    """Whether "a" or "I" is English here: no relation or operator follows it."""
    return letter in "aAI" and not (following and following[0] in _words().relations)


def _is_mathematical(character: str) -> bool:
    name = unicodedata.name(character, "")
    return unicodedata.category(character) in _MATHEMATICAL or name.startswith(("GREEK", "MATHEMATICAL"))


def _plain_number(token: str) -> str:
    digits = token.replace(",", "")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return digits.lstrip("0") or "0"
