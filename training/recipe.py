"""The recipe: everything that decides what the trained model is, read from a TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path

from training.chat import Weights
from training.dataset import Mix
from training.model import ModelConfig


@dataclass(frozen=True)
class Schedule:
    """Batches and learning rates: cycles of warm-up, constant, and linear decay to zero over their last `decay` part.

    `earlier` are the (last step, decay) of earlier cycles: a finished run goes on in another cycle when its own are
    added here and `steps` is raised.

    During the first `prompt_steps` the question's tokens count in the loss too: that teaches the words before the
    problems.
    """

    steps: int = 1500
    batch_tokens: int = 8192
    warmup: int = 60
    decay: float = 0.4
    matrix_lr: float = 0.02
    other_lr: float = 0.004
    weight_decay: float = 0.01
    clip: float = 1.0
    prompt_steps: int = 1000
    earlier: tuple[tuple[int, float], ...] = ()

    def factor(self, step: int) -> float:
        """The learning rate at `step` over its peak."""
        first = max((end for end, _ in self.earlier if end <= step), default=0)
        last, decay = min((each for each in self.earlier if each[0] > step), default=(self.steps, self.decay))
        if step - first < self.warmup:
            return (step - first + 1) / self.warmup
        start = last - (last - first) * decay
        return 1.0 if step < start else max(0.0, (last - step) / (last - start))


@dataclass(frozen=True)
class Recipe:
    """One training run. `device` is `cpu` or `cuda`; `minutes` between checkpoints; `cut` the share of rows that end
    with their last program.
    """

    name: str = "cpu"
    device: str = "cpu"
    threads: int = 2
    seed: int = 1
    workers: int = 2
    max_tokens: int = 320
    cut: float = 0.0
    is_compiled: bool = True
    checkpoint_minutes: float = 5.0
    model: ModelConfig = field(default_factory=ModelConfig)
    mix: Mix = field(default_factory=Mix)
    weights: Weights = field(default_factory=Weights)
    schedule: Schedule = field(default_factory=Schedule)

    def as_dict(self) -> dict[str, object]:
        """All fields, for the model card and checkpoints."""
        return asdict(self)


def read(path: Path) -> Recipe:
    """The recipe in `path`. Raises `TypeError` for an unknown key."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    plan = data.pop("schedule", {})
    return Recipe(
        model=ModelConfig(**data.pop("model", {})),
        mix=Mix(**data.pop("mix", {})),
        weights=Weights(**data.pop("weights", {})),
        schedule=Schedule(**plan | {"earlier": tuple(tuple(each) for each in plan.get("earlier", ()))}),
        **data,
    )
