"""The justification of an answer: one chain, written out."""

from __future__ import annotations

from collections.abc import Sequence

from abaci.types import Bucket, Output, Program, Rationale, StopReason, Trajectory


def pick_representative(bucket: Bucket, trajectories: Sequence[Trajectory]) -> Trajectory:
    """The chain of `bucket` to show: ended by itself and computed something, then the likeliest, then the first.

    `trajectories` must contain the bucket's chains.
    """
    members = [trajectory for trajectory in trajectories if trajectory.chain in set(bucket.chains)]
    return min(members, key=_presentability)


def _presentability(trajectory: Trajectory) -> tuple[bool, bool, float, int]:
    has_program = any(isinstance(step, Program) for step in trajectory.steps)
    likelihood = trajectory.mean_logprob if trajectory.mean_logprob is not None else float("-inf")
    return (trajectory.stop_reason is not StopReason.ANSWER, not has_program, -likelihood, trajectory.chain)


def write_out(trajectory: Trajectory) -> str:
    """The chain as Markdown: its prose, its programs, and what they gave."""
    parts = []
    for step in trajectory.steps:
        match step:
            case Rationale(text=text):
                parts.append(text.strip())
            case Program(code=code):
                parts.append(f"```python\n{code.strip()}\n```")
            case Output(text=text):
                parts.append(f"```output\n{text.strip()}\n```")
    return "\n\n".join(part for part in parts if part)
