"""Train the bundled model: `python -m training.train --config training/configs/cpu.toml`.

Data and checkpoints go to `build/training/<name>/`; running the same command again resumes. When the last step is done
the model is exported to `--export` (default `abaci/backend/nano`) together with its tokenizer.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from training import batches, dataset, optimizer, tokenizer
from training.chat import PAD, text
from training.export import export
from training.model import NanoModel
from training.recipe import Recipe, read

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Prepared:
    """The training set as tokens, the tokenizer, and facts for the model card."""

    rows: list[batches.Encoded]
    tokenizer: Tokenizer
    facts: dict[str, object]


def prepare(recipe: Recipe, folder: Path, start: Path | None = None) -> Prepared:
    """Generate data and tokenizer, or read them back where an earlier run left them; `start` has its own tokenizer."""
    rows_path, facts_path = folder / "train.jsonl.gz", folder / "facts.json"
    if not facts_path.exists():
        print("generating the training set …", flush=True)
        rows, counts = dataset.build(recipe.mix, recipe.seed, recipe.workers)
        facts: dict[str, object] = {"sha256": dataset.save(rows, rows_path), "counts": counts}
        if start is None:
            sample = random.Random(recipe.seed).sample(rows, min(len(rows), 30000))
            made = tokenizer.train((text(row) for row in sample), recipe.model.vocab)
        else:
            made = Tokenizer.from_file(str(start / "tokenizer.json"))
        tokenizer.save(made, folder, recipe.model.context)
        facts_path.write_text(json.dumps(facts), encoding="utf-8")
    facts = json.loads(facts_path.read_text(encoding="utf-8"))
    made = Tokenizer.from_file(str(folder / "tokenizer.json"))
    encoded = batches.encode_all(dataset.load(rows_path), made, recipe.weights, recipe.max_tokens, recipe.cut)
    total = sum(len(row.ids) for row in encoded)
    print(f"{len(encoded)} rows, {total} tokens, mean {total / len(encoded):.0f}", flush=True)
    facts |= {"rows": len(encoded), "tokens": total}
    facts_path.write_text(json.dumps(facts), encoding="utf-8")
    return Prepared(encoded, made, facts)


class Run:
    """The state of a training run, and how it is kept on disk."""

    def __init__(self, recipe: Recipe, folder: Path, start: Path | None = None) -> None:
        self.recipe = recipe
        self.path = folder / "checkpoint.pt"
        torch.manual_seed(recipe.seed)
        self.model = NanoModel(recipe.model).to(recipe.device)
        plan = recipe.schedule
        self.optimizers = optimizer.build(self.model, plan.matrix_lr, plan.other_lr, plan.weight_decay)
        self.step = 0
        self.tokens = 0
        self.seconds = 0.0
        if self.path.exists():
            self.restore()
        elif start is not None:
            self.begin(start)

    def begin(self, start: Path) -> None:
        """Go on from the exported model in `start`: its weights and counts, without the optimizers' momentum."""
        self.model.load_state_dict(load_file(start / "model.safetensors"))
        earlier = facts_of(start)
        self.step, self.tokens, self.seconds = earlier["steps"], earlier["seen_tokens"], float(earlier["seconds"])
        print(f"going on from {start} at step {self.step}", flush=True)

    def restore(self) -> None:
        """Go on from the checkpoint."""
        state = torch.load(self.path, map_location=self.recipe.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        for each, saved in zip(self.optimizers, state["optimizers"], strict=True):
            each.load_state_dict(saved)
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]
        print(f"resuming at step {self.step}", flush=True)

    def save(self) -> None:
        """Write the checkpoint; an interrupted write leaves the old one."""
        state = {
            "model": self.model.state_dict(),
            "optimizers": [each.state_dict() for each in self.optimizers],
            "step": self.step,
            "tokens": self.tokens,
            "seconds": self.seconds,
        }
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.path)

    def update(self, ids: torch.Tensor, weights: torch.Tensor) -> float:
        """One optimizer step; the loss before it."""
        factor = self.recipe.schedule.factor(self.step)
        with torch.autocast(self.recipe.device, dtype=torch.bfloat16):
            loss = self.model.loss(ids, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.schedule.clip)
        for each in self.optimizers:
            for group in each.param_groups:
                group["lr"] = group["peak"] * factor
            each.step()
            each.zero_grad(set_to_none=True)
        return float(loss.detach())


def facts_of(exported: Path) -> dict[str, Any]:
    """What the training of an exported model left in its training.json."""
    facts: dict[str, Any] = json.loads((exported / "training.json").read_text(encoding="utf-8"))["data"]
    return facts


def train(recipe: Recipe, folder: Path, data: Prepared, start: Path | None = None) -> Run:
    """Run to the last step, with a progress line every few seconds and checkpoints."""
    run = Run(recipe, folder, start)
    if recipe.is_compiled:
        # The loss itself picks its rows by their weights: a graph break.
        run.model.hidden = torch.compile(run.model.hidden, dynamic=True)  # type: ignore[method-assign]
    pad = tokenizer.id_of(data.tokenizer, PAD)
    plan = recipe.schedule
    source = batches.stream(data.rows, plan.batch_tokens, recipe.seed, run.step)
    saved = shown = time.monotonic()
    average = 0.0
    recent = 0
    while run.step < plan.steps:
        began = time.monotonic()
        epoch, chosen = next(source)
        ids, weights = batches.tensors(data.rows, chosen, pad, with_prompt=run.step < plan.prompt_steps)
        loss = run.update(ids.to(recipe.device), weights.to(recipe.device))
        average = loss if not average else 0.95 * average + 0.05 * loss
        real = sum(len(data.rows[i].ids) for i in chosen)
        run.step += 1
        run.tokens += real
        recent += real
        run.seconds += time.monotonic() - began
        now = time.monotonic()
        if now - shown > 10 or run.step == plan.steps:
            left = (plan.steps - run.step) * run.seconds / run.step / 60
            print(
                f"step {run.step}/{plan.steps}  epoch {epoch}  loss {average:.4f}"
                f"  {recent / (now - shown):.0f} tokens/s  {run.tokens / 1e6:.2f} M tokens  {left:.0f} min left",
                flush=True,
            )
            shown, recent = now, 0
        if now - saved > recipe.checkpoint_minutes * 60:
            run.save()
            saved = now
    run.save()
    return run


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=ROOT / "training" / "configs" / "cpu.toml")
    parser.add_argument("--export", type=Path, default=ROOT / "abaci" / "backend" / "nano")
    parser.add_argument("--start", type=Path, help="an exported model to go on from, at its own last step")
    chosen = parser.parse_args()
    recipe = read(chosen.config)
    torch.set_num_threads(recipe.threads)
    folder = ROOT / "build" / "training" / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    data = prepare(recipe, folder, chosen.start)
    run = train(recipe, folder, data, chosen.start)
    facts = data.facts | {"seen_tokens": run.tokens, "seconds": round(run.seconds), "steps": run.step}
    if chosen.start is not None:
        earlier = facts_of(chosen.start)
        facts["remarks"] = [
            *earlier.get("remarks", []),
            f"Steps before {earlier['steps']} saw other rows ({earlier['rows']}, SHA-256 `{earlier['sha256']}`); the"
            " command above sees these from the start.",
        ]
    export(run.model, recipe, folder, chosen.export, facts)


if __name__ == "__main__":
    main()
