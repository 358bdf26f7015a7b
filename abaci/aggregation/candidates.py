"""Chains as judges see them: each distinct text once, labelled, and no longer than a judge can read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from abaci.aggregation.explain import write_out
from abaci.types import Trajectory

MAX_CHAIN_CHARS = 6_000
MAX_PROMPT_CHARS = 48_000
"""What one prompt shows of all its chains together, however much the judge could read."""


def distinct(trajectories: Iterable[Trajectory]) -> list[Trajectory]:
    """The first chain of each text, by index: to judge a text twice tells nothing new."""
    first: dict[str, Trajectory] = {}
    for trajectory in sorted(trajectories, key=lambda chain: chain.chain):
        first.setdefault(_text(trajectory), trajectory)
    return list(first.values())


def multiplicity(trajectories: Iterable[Trajectory]) -> dict[int, int]:
    """How often the text of each `distinct` chain occurs, by the chain's index."""
    first: dict[str, int] = {}
    counts: dict[int, int] = {}
    for trajectory in sorted(trajectories, key=lambda chain: chain.chain):
        index = first.setdefault(_text(trajectory), trajectory.chain)
        counts[index] = counts.get(index, 0) + 1
    return counts


def quote(chains: Sequence[Trajectory], noun: str, room_chars: int = MAX_PROMPT_CHARS) -> str:
    """`chains` under the headings "`noun` 1", "`noun` 2", …, in about `room_chars` characters together.

    The middle is left out where a text is too long.
    """
    limit = min(MAX_CHAIN_CHARS, room_chars // max(1, len(chains)))
    parts = []
    for label, chain in enumerate(chains, start=1):
        answer = f"\nAnswer: {chain.answer.raw[:limit]}" if chain.answer else ""
        parts.append(f"### {noun} {label}\n{_excerpt(_text(chain), limit)}{answer}")
    return "\n\n".join(parts)


def label_range(count: int) -> str:
    """ "1", or "1 to 5"."""
    return "1" if count == 1 else f"1 to {count}"


def _text(trajectory: Trajectory) -> str:
    text = write_out(trajectory)
    return text or (trajectory.answer.raw if trajectory.answer else "")


def _excerpt(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"
