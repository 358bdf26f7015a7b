"""From key press to answer: `abaci solve` with the bundled model, beside the bare engine that it cannot be faster than.

The baseline starts vLLM's `LLMEngine` on the same model in a fresh process and generates one token: no sandbox, no
LangGraph, no votes. Both run alternately; both have been run once before, so that files are in the page cache.

    python benchmarks/first_answer.py --repeats 5
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from abaci.settings import BUNDLED_KV_CACHE_BYTES, BUNDLED_MODEL

QUESTION = "What is 25% of 80?"
TARGET_S = 12.0
TIMEOUT_S = 300.0

BARE = f"""
import os
os.environ.update(VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_LOGGING_LEVEL="ERROR", HF_HUB_OFFLINE="1",
                  TORCH_COMPILE_DISABLE="1", OMP_WAIT_POLICY="PASSIVE", VLLM_NO_USAGE_STATS="1")
from vllm import EngineArgs, LLMEngine, SamplingParams
engine = LLMEngine.from_engine_args(EngineArgs(model={str(BUNDLED_MODEL)!r}, enforce_eager=True,
    kv_cache_memory_bytes={BUNDLED_KV_CACHE_BYTES}, block_size=32, disable_log_stats=True))
engine.add_request("0", "2 + 2", SamplingParams(max_tokens=1))
while engine.has_unfinished_requests():
    engine.step()
print("done", flush=True)
os._exit(0)
"""


def time_first_line(command: Sequence[str]) -> float:
    """Seconds from starting `command` to its first line on standard output.

    Raises:
        SystemExit: it printed nothing; a time would be meaningless.
    """
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        elapsed = time.monotonic() - started
        process.stdout.read()
        process.wait(TIMEOUT_S)
    if not line.strip():
        raise SystemExit(f"{command[0]} printed nothing and ended with {process.returncode}")
    return elapsed


def main() -> None:
    """Print the comparison as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    commands = {
        "abaci_solve_s": [sys.executable, "-m", "abaci.cli", "solve", QUESTION],
        "bare_engine_s": [sys.executable, "-W", "ignore", "-c", BARE],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        time_first_line(command)
    for _ in range(repeats):
        for name, command in commands.items():
            times[name].append(round(time_first_line(command), 2))
    medians = {name: statistics.median(values) for name, values in times.items()}
    report = {
        "medians": medians,
        "ratio": round(medians["abaci_solve_s"] / medians["bare_engine_s"], 2),
        "runs": times,
        "target_s": TARGET_S,
        "is_target_met": medians["abaci_solve_s"] <= TARGET_S,
        "machine": {"cores": os.cpu_count(), "load_1min": os.getloadavg()[0], "platform": platform.platform()},
        "model": Path(BUNDLED_MODEL).name,
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
