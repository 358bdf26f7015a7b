"""The template language."""

from __future__ import annotations

import random

import pytest

from training.templates import Wording, fill, has_reserved, parse, sentences


def texts(template: str, *, is_held_out: bool = False) -> set[str]:
    return {Wording(random.Random(seed), is_held_out=is_held_out).expand(parse(template)) for seed in range(60)}


def test_alternatives_are_all_reached() -> None:
    assert texts("a [b|c [d|e]]") == {"a b", "a c d", "a c e"}


def test_training_leaves_reserved_alternatives_out() -> None:
    assert texts("[a|~b]") == {"a"}


def test_held_out_split_uses_reserved_alternatives() -> None:
    assert texts("[a|~b]", is_held_out=True) == {"a", "b"}


def test_shared_part_is_expanded() -> None:
    assert "altogether" in texts("<total>")


def test_reserved_alternative_is_seen_through_nesting() -> None:
    assert has_reserved(parse("x [a [b|~c]|d]"))


def test_unknown_slot_stays_as_it_is() -> None:
    assert fill("{a} {{b}} {c.d}", {"b": 5}) == "{a} {5} {c.d}"


def test_value_is_not_read_as_a_template() -> None:
    assert fill("{a}", {"a": "[1|2]"}) == "[1|2]"


def test_sentences_begin_with_a_capital() -> None:
    assert sentences("how  many . what is it ?") == "How many. What is it?"


def test_unbalanced_template_is_refused() -> None:
    with pytest.raises(ValueError, match="unbalanced"):
        parse("[a|b")
