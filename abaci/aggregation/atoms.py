"""Atoms: the steps, claims and list items that a chain consists of."""

from __future__ import annotations

import re
from collections.abc import Sequence

from abaci.types import Rationale, Trajectory, Value

MAX_ATOMS = 200
"""Atoms taken from one chain."""

MAX_ATOMS_OF_ALL = 3_000
"""Atoms taken from all chains together: clustering holds a distance for each pair."""

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


def split_all(chains: Sequence[Trajectory]) -> list[Atom]:
    """The atoms of all `chains`, as many of each as there is room for."""
    limit = max(1, min(MAX_ATOMS, MAX_ATOMS_OF_ALL // max(1, len(chains))))
    return [atom for chain in chains for atom in split_atoms(chain, limit)]


def split_atoms(chain: Trajectory, limit: int = MAX_ATOMS) -> list[Atom]:
    """The first atoms of a chain's prose: its sentences and list items; programs and outputs are left out."""
    prose = "\n".join(step.text for step in chain.steps if isinstance(step, Rationale))
    pieces = [
        piece.strip()[:MAX_ATOM_CHARS]
        for line in _FENCE.sub("\n", prose).splitlines()
        for piece in _SENTENCE_END.split(_BULLET.sub("", line))
    ]
    kept = [piece for piece in pieces if len(piece) >= MIN_ATOM_CHARS][:limit]
    return [Atom(text=text, chain=chain.chain, place=place / len(kept)) for place, text in enumerate(kept)]
