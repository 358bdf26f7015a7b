"""Measure the bundled model: `python -m training.evaluate --model abaci/backend/nano`.

Sets: held-out numbers, phrasings and families of our generator (fixed seeds), GSM8K test and SVAMP where the external
data is. For each: greedy pass@1 with and without the executor, and the majority of 8 at temperature 0.7 with it.
Programs run in abaci's bubblewrap sandbox. The figures go to `metrics.json` in the model's folder and into its card.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from abaci.sandbox.bubblewrap import BubblewrapSandbox
from abaci.sandbox.config import BubblewrapConfig
from training import card, dataset
from training.generate import Decoding, Loaded, load
from training.problem import Row, Split
from training.solve import PARALLEL, Chain, is_right, majority, solve

ROOT = Path(__file__).resolve().parents[1]
SPLITS: tuple[Split, ...] = ("numbers", "phrasings", "families")
EXTERNAL: dict[str, Callable[[dict[str, object]], Row]] = {
    "svamp": lambda row: _external("svamp", row),
    "gsm8k": lambda row: _external("gsm8k", row),
}


@dataclass(frozen=True)
class Plan:
    """What to measure: at most `count` problems a set; `votes` chains for the majority, on `vote_count` problems."""

    count: int = 400
    votes: int = 8
    vote_count: int = 200


def _external(name: str, row: dict[str, object]) -> Row:
    """A row of an external set; the gold answer of GSM8K follows `####`."""
    gold = str(row.get("answer", row.get("Answer"))).rsplit("####", 1)[-1].strip().replace(",", "")
    question = " ".join(dataset.question_of(row).split())
    return Row(name, question, "", (), gold.removesuffix(".0"))


def problems(name: str, plan: Plan, trained: frozenset[str]) -> list[Row]:
    """The fixed problems of a set, empty where its external file is absent."""
    if name in SPLITS:
        split: Split = name
        return evenly(dataset.held_out(split, max(plan.count, 600), exclude=trained), plan.count)
    folder = dataset.external_data()
    if folder is None:
        return []
    rows = [EXTERNAL[name](row) for row in dataset.read_jsonl(folder / f"{name}_test.jsonl.gz")]
    return evenly(rows, plan.count)


def evenly(rows: Sequence[Row], count: int) -> list[Row]:
    """At most `count` rows at equal distances."""
    if len(rows) <= count:
        return list(rows)
    return [rows[i * len(rows) // count] for i in range(count)]


def accuracy(rows: Sequence[Row], chains: Sequence[Chain]) -> float:
    """The share of right answers."""
    return sum(is_right(c.answer, r.answer) for r, c in zip(rows, chains, strict=True)) / len(rows)


async def measure(loaded: Loaded, rows: list[Row], plan: Plan) -> dict[str, object]:
    """The figures of one set."""
    questions = [row.question for row in rows]
    config = BubblewrapConfig(max_sessions=PARALLEL, spares=PARALLEL)
    async with BubblewrapSandbox(config) as sandbox:
        greedy = await solve(loaded, questions, sandbox, Decoding())
        voted = evenly(rows, plan.vote_count)
        rounds = [
            await solve(loaded, [row.question for row in voted], sandbox, Decoding(temperature=0.7, seed=seed))
            for seed in range(plan.votes)
        ]
    alone = await solve(loaded, questions, None, Decoding(max_tokens=256))
    picked = [majority([chains[i].answer for chains in rounds]) for i in range(len(voted))]
    wrong: dict[str, int] = {}
    for row, chain in zip(rows, greedy, strict=True):
        if not is_right(chain.answer, row.answer):
            wrong[row.family] = wrong.get(row.family, 0) + 1
    result: dict[str, object] = {
        "problems": len(rows),
        "pass@1": round(accuracy(rows, greedy), 4),
        "pass@1 without executor": round(accuracy(rows, alone), 4),
        "wrong": dict(sorted(wrong.items(), key=lambda pair: -pair[1])),
    }
    if rounds:
        right = sum(is_right(a, r.answer) for a, r in zip(picked, voted, strict=True))
        result |= {f"maj@{plan.votes}": round(right / len(voted), 4), "maj problems": len(voted)}
    return result


def run(folder: Path, names: Sequence[str], plan: Plan, trained: frozenset[str]) -> dict[str, object]:
    """The figures of all sets, with the date and the machine."""
    loaded = load(folder)
    figures: dict[str, object] = {}
    for name in names:
        began = time.monotonic()
        rows = problems(name, plan, trained)
        if not rows:
            print(f"{name}: the external data is not here, not measured")
            continue
        figures[name] = asyncio.run(measure(loaded, rows, plan))
        print(f"{name}: {json.dumps(figures[name])}  ({time.monotonic() - began:.0f} s)", flush=True)
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    return {"date": datetime.now(UTC).date().isoformat(), "machine": machine, "sets": figures}


def trained_questions(path: Path) -> frozenset[str]:
    """The questions of a training set, so that none of them is measured; empty where the file is absent."""
    if not path.exists():
        return frozenset()
    return frozenset(row.question for row in dataset.load(path))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "abaci" / "backend" / "nano")
    parser.add_argument("--sets", nargs="+", default=[*SPLITS, *EXTERNAL], choices=[*SPLITS, *EXTERNAL])
    parser.add_argument("--count", type=int, default=Plan.count)
    parser.add_argument("--votes", type=int, default=Plan.votes)
    parser.add_argument("--vote-count", type=int, default=Plan.vote_count)
    seen = [ROOT / "build" / "training" / "cpu" / "train.jsonl.gz"]
    parser.add_argument("--train", type=Path, nargs="+", default=seen, help="the training sets of all its runs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--is-kept", action="store_true", help="write metrics.json and the model card")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    plan = Plan(chosen.count, chosen.votes, chosen.vote_count)
    figures = run(chosen.model, chosen.sets, plan, frozenset().union(*map(trained_questions, chosen.train)))
    if chosen.is_kept:
        (chosen.model / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        card.write(chosen.model)


if __name__ == "__main__":
    main()
