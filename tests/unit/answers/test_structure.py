"""Tuples, intervals, sets and lists."""

from __future__ import annotations

import time

import pytest

from abaci.answers.structure import Kind, split_structure


@pytest.mark.parametrize(
    ("text", "kind", "brackets", "parts"),
    [
        ("1,2", Kind.LIST, "", ("1", "2")),
        ("x=1 or x=2", Kind.LIST, "", ("x=1", "x=2")),
        ("(1,2),(3,4)", Kind.LIST, "", ("(1,2)", "(3,4)")),
        ("p=5,q=2;p=7,q=2", Kind.LIST, "", ("p=5,q=2", "p=7,q=2")),
        (r"\{1,2\}", Kind.SET, r"\{\}", ("1", "2")),
        (r"\{1\}", Kind.SET, r"\{\}", ("1",)),
        (r"(3,\frac{\pi}{2})", Kind.GROUP, "()", ("3", r"\frac{\pi}{2}")),
        ("[0,1)", Kind.GROUP, "[)", ("0", "1")),
        ("(0;0;6)", Kind.GROUP, "()", ("0", "0", "6")),
        ("f(1,2),3", Kind.LIST, "", ("f(1,2)", "3")),
    ],
)
def test_parts_and_brackets_are_found(text: str, kind: Kind, brackets: str, parts: tuple[str, ...]) -> None:
    found = split_structure(text)
    assert found is not None
    assert (found.kind, found.opening + found.closing, found.parts) == (kind, brackets, parts)


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "",
        "f(1,2)",
        "(x+1)(x+2)",
        "(x+1)",
        r"\begin{pmatrix}1,2\\3\end{pmatrix}",
        "(1,2",
        "1)2",
        r"[0,1)\cup(2,3]",
        "a_{1,2}",
    ],
)
def test_single_expressions_have_no_structure(text: str) -> None:
    assert split_structure(text) is None


@pytest.mark.parametrize("piece", ["(", "1,", "\\{", ";", "and ", "(),"])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    started = time.monotonic()
    split_structure(piece * 20_000)
    assert time.monotonic() - started < 3
