"""One family for each file of freely told stories; every twelfth story is told in the held-out phrasings only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from training import plans, storybook, templates
from training.problem import Draft, family

RESERVED = frozenset({"shows"})
"""Files that training never sees."""
HELD_OUT = 12
FOREIGN = 0.15
"""The share of problems that begin with a sentence of another story."""


def _family(path: Path) -> Callable[[Draft], None]:
    name = path.stem
    told = storybook.read(path)
    every = [(index, story) for index, story in enumerate(told)]
    held = [pair for pair in every if pair[0] % HELD_OUT == HELD_OUT - 1]
    common = [pair for pair in every if pair[0] % HELD_OUT < HELD_OUT - 1]

    def write(d: Draft) -> None:
        is_held = d.split == "phrasings"
        index, story = d.rng.choice(held if is_held else common)
        d.wording.reserved_used += is_held
        question = d.rng.choice(story.questions)
        before = ""
        if d.rng.random() < FOREIGN:
            other = d.rng.choice(common)[1]
            before = other.facts.split(". ", 1)[0].rstrip(".") + "." if other is not story else ""
        found = storybook.told(story, question, d.rng, before)
        d.skeleton = f"{name} {index}: {question.ask}"
        d.question = templates.sentences(found.question)
        d.rationale = plans.sentence(found.plan)
        d.program = f"print({found.program})"
        d.answer(found.answer)

    write.__name__ = f"told_{name}"
    write.__doc__ = f"Stories told freely: {name}."
    return family("word problems", reserved=name in RESERVED)(write)


for _path in sorted(storybook.FOLDER.glob("*.txt")):
    _family(_path)
