"""Replay, grading and voting on published data, each figure beside its anchor.

    python benchmarks/offline.py [replay] [grade] [vote] [--data FOLDER]

Without a name everything is measured. The data folder is `--data`, else `ABACI_DATA`, else `../shared/data`. A figure
that misses its anchor is marked with "!", and the exit status is then 1.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from abaci.aggregation.config import SelfConsistencyConfig
from abaci.aggregation.self_consistency import SelfConsistency
from abaci.answers.extract import extract_boxed
from abaci.evaluation.grade import grade_pairs
from abaci.evaluation.replay import ReplayOptions, replay_trajectories
from abaci.evaluation.rows import RowFile
from abaci.evaluation.vote import vote_pools
from abaci.grading.grader import Grader
from abaci.sandbox.auto import open_sandbox
from abaci.sandbox.base import Sandbox
from abaci.sandbox.config import AutoSandboxConfig

DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"
PARTS = ("replay", "grade", "vote")

TORA = "trajectories_tora_code_34b_gsm8k.jsonl.gz"
RHO = "trajectories_rho-math-1b-interpreter.minerva_math.jsonl.gz"


class Table:
    """Prints one figure a line and remembers whether all reach their anchors."""

    def __init__(self) -> None:
        self.is_good = True

    def add(self, name: str, figure: object, anchor: str = "", is_reached: bool = True) -> None:
        """Prints a figure; `is_reached` says whether it is as good as its anchor."""
        self.is_good &= is_reached
        print(f"{'  ' if is_reached else '! '}{name:<58} {figure!s:>10}   {anchor}")


async def measure_replay(data: Path, sandbox: Sandbox, table: Table) -> None:
    """Executor fidelity: recorded outputs of published trajectories."""
    async with Grader(sandbox) as grader:
        started = time.monotonic()
        tora = await replay_trajectories(data / TORA, sandbox, grader)
        table.add("ToRA-Code-34B GSM8K: programs", tora.programs, "anchor 1318", tora.programs == 1318)
        table.add("  exact", tora.exact, "anchor 1318", tora.exact == 1318)
        table.add("  extraction equal to the released answer, %", tora.extraction_agreement, "anchor 100",
                  tora.extraction_agreement == 100)  # fmt: skip
        table.add("  accuracy, %", tora.accuracy)
        table.add("  accuracy with ToRA's tolerance, %", tora.accuracy_lenient, "anchor 80.67 (released)",
                  tora.accuracy_lenient == 80.67)  # fmt: skip
        table.add("  p50 / p99, ms", f"{tora.p50_ms} / {tora.p99_ms}")
        table.add("  wall, s", round(time.monotonic() - started, 1))
        for name, carry_state, anchor in (("alone", False, 95.6), ("state carried, as its harness did", True, 96.0)):
            rho = await replay_trajectories(data / RHO, sandbox, grader, ReplayOptions(carry_state=carry_state))
            table.add(f"rho-1b MATH-500, programs {name}: exact of {rho.programs}", rho.exact)
            table.add("  exact, %", rho.exact_rate, f"anchor {anchor}", rho.exact_rate >= anchor)
            table.add("  accuracy, %", rho.accuracy, "released 40.2")
            for cause, count in Counter(mismatch.cause for mismatch in rho.mismatches).most_common():
                table.add(f"    mismatch: {cause}", count)


async def measure_grading(data: Path, sandbox: Sandbox, table: Table) -> None:
    """Agreement with labels, and gold answers with themselves."""
    async with Grader(sandbox) as grader:
        report = await grade_pairs(data / "grader_pairs.jsonl", grader)
        wrong = len(report.disagreements)
        table.add(f"labelled pairs: disagreements of {report.pairs}", wrong, "at most 2", wrong <= 2)
        for item in report.disagreements:
            table.add(f"  line {item.line}: {item.gold} | {item.pred}", item.verdict.method)
        table.add("  p50 / p99 / max, ms", f"{report.p50_ms} / {report.p99_ms} / {report.max_ms}", "max 2500",
                  (report.max_ms or 0) <= 2500)  # fmt: skip
        for name in ("math500.jsonl.gz", "math_test.jsonl.gz"):
            golds = [extract_boxed(str(row["solution"])) or "" for _, row in RowFile(data / name)]
            equal = sum([await grader.are_equal(gold, gold) for gold in golds])
            table.add(f"{name}: gold equals itself, of {len(golds)}", equal, "all", equal == len(golds))
        monster = await grader.compare("9^{9^{9^{9}}}", "5")
        table.add("a monstrous answer: verdict after, s", round(monster.duration_s, 2), "at most 2.5",
                  monster.duration_s <= 2.5)  # fmt: skip


async def measure_votes(data: Path, sandbox: Sandbox, table: Table) -> None:
    """Majority votes over recorded answers; ties go to the candidate listed first."""
    async with Grader(sandbox) as grader:
        aggregator = SelfConsistency(SelfConsistencyConfig(), grader.are_equal)
        for name, accuracy, oracle in (
            ("answer_pool_gsm8k.jsonl.gz", 86.7, 96.06),
            ("math100x8_reward_scored.jsonl.gz", 93.0, 96.0),
        ):
            started = time.monotonic()
            report = await vote_pools(data / name, aggregator, grader)
            table.add(f"{name}: questions", report.questions)
            table.add("  majority, %", report.accuracy, f"anchor {accuracy}", report.accuracy >= accuracy)
            table.add("  oracle, %", report.oracle, f"anchor {oracle}", report.oracle == oracle)
            table.add(f"  best single run ({report.best_run}), %", report.best_single)
            table.add("  wall, s", round(time.monotonic() - started, 1))


async def measure(data: Path, parts: set[str]) -> bool:
    """Measures the chosen parts; whether every anchor was reached."""
    table = Table()
    async with open_sandbox(AutoSandboxConfig()) as sandbox:
        libraries = ", ".join(f"{name} {version(name)}" for name in ("sympy", "math-verify", "numpy", "scipy"))
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {libraries}")
        print(f"sandbox: {sandbox.tier}\n")
        if "replay" in parts:
            await measure_replay(data, sandbox, table)
        if "grade" in parts:
            await measure_grading(data, sandbox, table)
        if "vote" in parts:
            await measure_votes(data, sandbox, table)
    return table.is_good


def main() -> int:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help="replay, grade or vote; all where none is named")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ABACI_DATA", DEFAULT_DATA)))
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    if not arguments.data.is_dir():
        print(f"no data folder at {arguments.data}: give --data or set ABACI_DATA", file=sys.stderr)
        return 2
    return 0 if asyncio.run(measure(arguments.data, set(arguments.parts or PARTS))) else 1


if __name__ == "__main__":
    sys.exit(main())
