"""Chains for tests."""

from __future__ import annotations

from typing import Any

from abaci.types import Answer, Rationale, StopReason, Trajectory


def chain(index: int, answer: str | None, text: str | None = None, **fields: Any) -> Trajectory:
    """A chain that says `text`; where there is none, something that no other chain says."""
    said = f"Way {index} leads to {answer}." if text is None else text
    return Trajectory(
        chain=index,
        steps=(Rationale(text=said),) if said else (),
        answer=None if answer is None else Answer(raw=answer, canonical=answer),
        stop_reason=fields.pop("stop_reason", StopReason.ANSWER),
        **fields,
    )


def chains(*answers: str | None) -> list[Trajectory]:
    """A chain an answer, all with different texts."""
    return [chain(index, answer) for index, answer in enumerate(answers)]
