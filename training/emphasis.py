"""Which kinds the model still gets wrong: `python -m training.emphasis --model abaci/backend/nano --keep FILE`.

Writes one number per family, by which `Mix.emphasis` multiplies the family's share of the next cycle's problems: what
is solved already needs few more of them. Measured on problems that neither training nor the held-out sets contain.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from pathlib import Path

import torch

from abaci.sandbox.bubblewrap import BubblewrapSandbox
from abaci.sandbox.config import BubblewrapConfig
from training import dataset
from training.generate import Decoding, Loaded, load
from training.solve import PARALLEL, is_right, solve

ROOT = Path(__file__).resolve().parents[1]
FIRST_SEED = 10_000_000
"""Problems of the training split from here on are drawn for this measurement alone."""
LEAST, MOST = 0.5, 5.0
"""The share of a family that is always solved, and of one that never is."""


def factor(wrong: int, count: int) -> float:
    """Between `LEAST` and `MOST`, by the share of `wrong` among `count` problems, a half pulled to the middle."""
    return round(LEAST + (MOST - LEAST) * (wrong + 0.5) / (count + 1), 2)


async def measure(loaded: Loaded, count: int) -> dict[str, float]:
    """The factor of every known family, from `count` problems of each."""
    drafts = [
        pair for kind in dataset.known() for pair in dataset.generate([kind], count, "train", first_seed=FIRST_SEED)
    ]
    rows = list(dataset.executed(drafts, workers=1))
    async with BubblewrapSandbox(BubblewrapConfig(max_sessions=PARALLEL, spares=PARALLEL)) as sandbox:
        chains = await solve(loaded, [row.question for row in rows], sandbox, Decoding())
    asked = Counter(row.family for row in rows)
    wrong = Counter(row.family for row, c in zip(rows, chains, strict=True) if not is_right(c.answer, row.answer))
    print(f"{len(rows)} problems of {len(asked)} families, {1 - wrong.total() / len(rows):.1%} right")
    return {name: factor(wrong[name], asked[name]) for name in sorted(asked)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "abaci" / "backend" / "nano")
    parser.add_argument("--count", type=int, default=10, help="problems of each family")
    parser.add_argument("--keep", type=Path, required=True, help="the JSON file to write")
    chosen = parser.parse_args()
    found = asyncio.run(measure(load(chosen.model), chosen.count))
    chosen.keep.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
