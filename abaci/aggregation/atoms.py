"""Atoms: the steps, claims and list items that a chain consists of."""

from __future__ import annotations

import re

from abaci.types import Rationale, Trajectory, Value

MAX_ATOMS = 200
"""Atoms taken from one chain."""

MAX_ATOM_CHARS = 600
MIN_ATOM_CHARS = 8
"""A shorter piece ("So:", "Then") says nothing by itself."""

_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_BULLET = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}[.)]|#+)\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z$\\(\[\"'])")


class Atom(Value):
    """One thing that a chain says. `place` is where in its chain, from 0 to 1."""

    text: str
    chain: int
    place: float


def split_atoms(chain: Trajectory) -> list[Atom]:
    """The atoms of a chain's prose: its sentences and list items, in order; programs and outputs are left out."""
    prose = "\n".join(step.text for step in chain.steps if isinstance(step, Rationale))
    pieces = [
        piece.strip()[:MAX_ATOM_CHARS]
        for line in _FENCE.sub("\n", prose).splitlines()
        for piece in _SENTENCE_END.split(_BULLET.sub("", line))
    ]
    kept = [piece for piece in pieces if len(piece) >= MIN_ATOM_CHARS][:MAX_ATOMS]
    return [Atom(text=text, chain=chain.chain, place=place / len(kept)) for place, text in enumerate(kept)]
