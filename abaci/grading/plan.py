"""How two canonical answers are to be compared: what their form alone rules out, and what can be taken part by part.

These rules stand before the algebra because the parser behind it forgives too much: it drops the base of `204_5`, the
prime of `f'`, and reads a word as a product of its letters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from abaci.answers.numbers import parse_number
from abaci.answers.structure import Kind, Structure, split_structure

MAX_PARTS = 64
"""Longer lists are left to the algebra as a whole."""

_WORD = re.compile(r"[a-zA-Z][a-z]{3,}(?: [a-zA-Z]+)*|[a-zA-Z]+(?: [a-zA-Z]+)+")
_SUBSCRIPTED_NUMBER = re.compile(r"\d_\{[^{}]*\}")
_SEVERAL_VALUES = re.compile(r"\\(?:pm|mp|ldots|cdots|dots)(?![a-zA-Z])")
_NOT_ONE_VALUE = re.compile(
    r"[=<>|]|\\(?:le|ge|ne|in|cup|cap|setminus|begin|emptyset|varnothing|mathbb|pm|mp|ldots|cdots|dots|infty)(?![a-zA-Z])"
)
_NAMED = re.compile(r"([a-zA-Z](?:_\{?\w{1,3}\}?)?|\\[a-zA-Z]{2,8})\s?=\s?([^=<>]+)")


@dataclass(frozen=True)
class Different:
    """The form rules equality out."""

    reason: str


@dataclass(frozen=True)
class PartByPart:
    """Equal when the parts are: each with its partner, or, unordered, each with some partner."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    is_ordered: bool


@dataclass(frozen=True)
class Whole:
    """Only algebra can tell."""


Plan = Different | PartByPart | Whole


def plan_comparison(first: str, second: str) -> Plan:
    """How to compare two canonical answers whose texts differ and which are not both plain numbers."""
    for rule in (_check_words, _check_primes, _check_bases):
        difference = rule(first, second)
        if difference is not None:
            return difference
    a, b = split_structure(first), split_structure(second)
    if a is None and b is None:
        return Whole()
    if a is None or b is None:
        return _plan_one_sided(a or b, first if a is None else second)
    return _plan_structures(a, b)


def _check_words(first: str, second: str) -> Different | None:
    is_first, is_second = bool(_WORD.fullmatch(first)), bool(_WORD.fullmatch(second))
    if is_first and is_second:
        return Different("two different words")
    if (is_first and parse_number(second)) or (is_second and parse_number(first)):
        return Different("a word and a number")
    return None


def _check_primes(first: str, second: str) -> Different | None:
    if first.count("'") != second.count("'"):
        return Different("different numbers of primes")
    return None


def _check_bases(first: str, second: str) -> Different | None:
    if _SUBSCRIPTED_NUMBER.findall(first) != _SUBSCRIPTED_NUMBER.findall(second):
        return Different("numerals in different bases")
    return None


def _plan_one_sided(structure: Structure | None, single: str) -> Plan:
    if structure is None or _SEVERAL_VALUES.search("".join(structure.parts)):
        return Whole()
    if structure.kind is Kind.SET and len(structure.parts) == 1:
        return PartByPart(structure.parts, (single,), is_ordered=True)
    if _NOT_ONE_VALUE.search(single):
        return Whole()
    return Different(f"{len(structure.parts)} values and a single one")


def _plan_structures(a: Structure, b: Structure) -> Plan:
    if _SEVERAL_VALUES.search("".join(a.parts + b.parts)) or max(len(a.parts), len(b.parts)) > MAX_PARTS:
        return Whole()
    if len(a.parts) != len(b.parts):
        return Different(f"{len(a.parts)} values and {len(b.parts)}")
    if a.kind is Kind.GROUP and b.kind is Kind.GROUP:
        return _plan_groups(a, b)
    if a.kind is Kind.GROUP or b.kind is Kind.GROUP:
        return _plan_group_and_list(a, b)
    return _plan_lists(a.parts, b.parts)


def _plan_groups(a: Structure, b: Structure) -> Plan:
    is_interval = len(a.parts) == 2
    if is_interval and (a.opening, a.closing) != (b.opening, b.closing):
        return Different(f"brackets {a.opening}{a.closing} and {b.opening}{b.closing}")
    return PartByPart(a.parts, b.parts, is_ordered=True)


def _plan_group_and_list(a: Structure, b: Structure) -> Plan:
    group, other = (a, b) if a.kind is Kind.GROUP else (b, a)
    values = _read_values(other.parts)
    if (group.opening, group.closing) == ("(", ")"):
        return PartByPart(group.parts, values, is_ordered=True)
    if len(group.parts) == 2:
        return Different("an interval and a list")
    return PartByPart(group.parts, values, is_ordered=False)


def _plan_lists(first: tuple[str, ...], second: tuple[str, ...]) -> Plan:
    a, b = _read_names(first), _read_names(second)
    if a and b and _are_distinct(a) and _are_distinct(b):
        if sorted(a) != sorted(b):
            return Different("values of different unknowns")
        by_name = dict(zip(b, _read_values(second), strict=True))
        return PartByPart(_read_values(first), tuple(by_name[name] for name in a), is_ordered=True)
    is_ordered = (bool(a) and _are_distinct(a)) or (bool(b) and _are_distinct(b))
    return PartByPart(_read_values(first), _read_values(second), is_ordered=is_ordered)


def _read_names(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The names of `x=1, y=2`; empty unless every part has one."""
    named = [_NAMED.fullmatch(part) for part in parts]
    return tuple(match[1] for match in named if match) if all(named) else ()


def _read_values(parts: tuple[str, ...]) -> tuple[str, ...]:
    named = [_NAMED.fullmatch(part) for part in parts]
    return tuple(match[2] if match else part for match, part in zip(named, parts, strict=True))


def _are_distinct(names: tuple[str, ...]) -> bool:
    return len(set(names)) == len(names) > 1
