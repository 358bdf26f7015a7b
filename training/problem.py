"""One problem in the making: `Draft` is what a family fills in, `Row` is what comes out."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from training import plans, templates, words

Split = Literal["train", "numbers", "phrasings", "families"]
Integer = int
"""The type, for the class whose method is called `int`."""


@dataclass(frozen=True)
class Row:
    """One finished training or test problem.

    `turns` are (program, output) pairs, the last one right; empty for an answer without a program. `answer` is what
    the box holds, None for a refusal (then `rationale` is the whole reply). `reference` is known independently of the
    program.
    """

    family: str
    question: str
    rationale: str
    turns: tuple[tuple[str, str], ...]
    answer: str | None
    skeleton: str = ""
    notes: tuple[str, ...] = ()
    """What the model writes between a failed program and the next one."""


@dataclass
class Draft:
    """What a family fills in. Numbers of the held-out split `numbers` are drawn from another seed range."""

    rng: random.Random
    split: Split
    values: dict[str, object] = field(default_factory=dict)
    code_values: dict[str, object] = field(default_factory=dict)
    skeleton: str = ""
    question: str = ""
    rationale: str = ""
    program: str = ""
    expected: str | None = None

    def __post_init__(self) -> None:
        self.wording = templates.Wording(self.rng, is_held_out=self.split == "phrasings")

    def int(self, low: Integer, high: Integer) -> Integer:
        """An integer, both ends included."""
        return self.rng.randint(low, high)

    def ints(self, count: Integer, low: Integer, high: Integer) -> list[Integer]:
        """`count` different integers."""
        return self.rng.sample(range(low, high + 1), count)

    def nonzero(self, bound: Integer) -> Integer:
        """An integer between -bound and bound, never 0."""
        return self.rng.choice([-1, 1]) * self.rng.randint(1, bound)

    def let(self, **values: object) -> None:
        """Name values for the texts and the program, shown alike in both."""
        self.values.update(values)
        self.code_values.update(values)

    def count(self, **values: Integer) -> None:
        """Name numbers of a story: the text may spell them as words or with a thousands comma."""
        for name, value in values.items():
            self.code_values[name] = value
            self.values[name] = words.spoken(self.rng, value)

    def show(self, **values: object) -> None:
        """Name values for the texts only."""
        self.values.update(values)

    def cast(self, *, people: str = "", things: str = "") -> None:
        """Draw persons and things (different ones) for the slots named, one letter each."""
        self.values.update(zip(people, words.people(self.rng, len(people)), strict=True))
        self.values.update(zip(things, words.things(self.rng, len(things)), strict=True))

    def say(self, template: str) -> str:
        """One expansion of `template` with its slots open."""
        return self.wording.expand(templates.parse(template))

    def ask(self, *options: str) -> None:
        """Set the question from one of the templates; a leading `~` reserves a whole template."""
        choices = [templates.parse(option) for option in options]
        self.skeleton = self.wording.expand(self.wording.pick(choices))
        self.question = self._filled(self.skeleton)

    def story(self, facts: list[str], question: str, *, is_ordered: bool = True) -> None:
        """Set the question from facts (shuffled unless ordered) and a closing question."""
        lines = [self.say(fact) for fact in facts]
        if not is_ordered:
            self.rng.shuffle(lines)
        self.skeleton = " ".join([*lines, self.say(question)])
        self.question = self._filled(self.skeleton)

    def _filled(self, skeleton: str) -> str:
        """The question: slots take their texts, but digits behind a dollar sign."""
        amounts = re.sub(
            r"\$\{(\w+)\}",
            lambda m: f"${self.code_values.get(m.group(1), self.values.get(m.group(1), m.group()))}",
            skeleton,
        )
        return templates.sentences(templates.fill(amounts, self.values))

    def think(self, thought: str) -> None:
        """Set the rationale: one wording for each thought, or a small model spends its training on guessing which."""
        self.rationale = templates.sentences(templates.fill(thought, self.values))

    def code(self, program: str) -> None:
        """Set the program; slots take the plain values."""
        self.program = templates.fill(program, self.values | self.code_values)

    def answer(self, value: object) -> None:
        """Set the expected answer, known without running the program."""
        self.expected = str(value)


@dataclass(frozen=True)
class Family:
    """A parametrised kind of problem; `is_reserved` keeps the whole family out of training."""

    name: str
    subject: str
    write: Callable[[Draft], None]
    weight: float
    is_reserved: bool


FAMILIES: dict[str, Family] = {}
STORIES = frozenset({"word problems", "composed problems", "money", "rates"})
"""Subjects whose rationales end with a plan."""


def family(
    subject: str, *, weight: float = 1.0, reserved: bool = False
) -> Callable[[Callable[[Draft], None]], Callable[[Draft], None]]:
    """Register the decorated function as a family named after it."""

    def register(write: Callable[[Draft], None]) -> Callable[[Draft], None]:
        name = write.__name__
        if name in FAMILIES:
            raise ValueError(f"two families are called {name!r}")
        FAMILIES[name] = Family(name, subject, write, weight, reserved)
        return write

    return register


def draft(kind: Family, seed: int, split: Split) -> Draft:
    """A filled draft of `kind`. The same seed gives the same problem; a split has its own stream of numbers."""
    for attempt in range(60):
        result = Draft(random.Random(f"{split}/{kind.name}/{seed}/{attempt}"), split)
        kind.write(result)
        if kind.subject in STORIES and plans.is_arithmetic(result.program) and not re.search(r"\d", result.rationale):
            result.rationale += f": {plans.labelled(result.question, result.program)}".replace("(", "( ")
        if split != "phrasings" or result.wording.reserved_used:
            return result
    raise ValueError(f"family {kind.name!r} has no reserved phrasing")
