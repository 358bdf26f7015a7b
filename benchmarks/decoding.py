"""How fast the vLLM backend decodes for many chains at once; JSON on standard output.

    python benchmarks/decoding.py [--model DIRECTORY] [--samples 1 8 32] [--tokens 256] [--repeats 5]

Each row draws so many samples of one prompt at once, of so many tokens at the most. The baseline, in the same engine
and run, is one sample alone: the ratio says what drawing together gains. Without `--model` it is the bundled one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import time
from importlib.metadata import version

from abaci.backend.base import GenerateRequest, SampleFinished, TextPrompt
from abaci.backend.config import VllmConfig
from abaci.backend.vllm import VllmBackend
from abaci.settings import BUNDLED_MODEL
from abaci.types import Sampling

QUESTION = "A train travels 60 miles in the first hour and 15 miles more in each hour after that. How far in 5 hours?"
HOT = 2.0
"""A temperature at which hardly any sample ends by itself; one that does is counted with the tokens that it has."""


async def draw(backend: VllmBackend, samples: int, tokens: int, seed: int) -> tuple[int, float]:
    """Tokens drawn, and the seconds they took."""
    request = GenerateRequest(
        prompt=TextPrompt(text=QUESTION),
        sampling=Sampling(temperature=HOT, top_p=1.0, max_tokens=tokens, seed=seed),
        n=samples,
    )
    began = time.perf_counter()
    ends = [event async for event in backend.generate(request) if isinstance(event, SampleFinished)]
    seconds = time.perf_counter() - began
    if len(ends) != samples:
        raise SystemExit(f"{samples} samples were asked for, and {len(ends)} drawn")
    return sum(end.usage.completion_tokens for end in ends), seconds


async def measure(model: str, counts: list[int], tokens: int, repeats: int) -> dict[str, dict[str, float]]:
    """Median, least and most tokens a second for each number of samples."""
    found: dict[str, dict[str, float]] = {}
    async with VllmBackend(VllmConfig(model=model)) as backend:
        for samples in counts:
            await draw(backend, samples, 16, seed=0)
            rates = []
            for repeat in range(repeats):
                drawn, seconds = await draw(backend, samples, tokens, seed=repeat + 1)
                rates.append(drawn / seconds)
            found[str(samples)] = {
                "median": round(statistics.median(rates)),
                "min": round(min(rates)),
                "max": round(max(rates)),
            }
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(BUNDLED_MODEL))
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    found = asyncio.run(measure(chosen.model, chosen.samples, chosen.tokens, chosen.repeats))
    alone = found[str(chosen.samples[0])]["median"]
    report = {
        "tokens_per_s": found,
        "times_the_first_row": {samples: round(row["median"] / alone, 1) for samples, row in found.items()},
        "tokens_a_sample": chosen.tokens,
        "machine": {"cores": os.cpu_count(), "platform": platform.platform(), "load_1min": round(load, 2)},
        "versions": {"python": platform.python_version(), "torch": version("torch")},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
