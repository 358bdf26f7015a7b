"""The same methods on chains that the bundled model draws, in one engine, within a given time.

    python benchmarks/aggregation_live.py [--set svamp] [--problems 200] [--minutes 10] [--data FOLDER]

`--set`: `numbers`, `phrasings` and `families` are held-out problems of the model's own generator, `svamp` is the test
set of SVAMP. Every method gets the same eight chains a problem. Problems are taken in a fixed random order until
`--problems` are done or the time is over; the table counts those that every method has decided. Intervals are 95 %
bootstrap intervals over problems. The bundled model judges too: it was never trained to, so this shows what a judge
that cannot judge costs.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from aggregation import DEFAULT_DATA, bootstrap

from abaci import Settings, Solver
from abaci.agents.options import SolveOptions
from abaci.aggregation.config import (
    AdaptiveConfig,
    AggregatorConfig,
    AorConfig,
    BetaRule,
    GenSelectConfig,
    JudgeLimits,
    SelfConsistencyConfig,
    SupermajorityRule,
    UniversalConfig,
)
from abaci.aggregation.judge import Judge
from abaci.app import make_aggregator
from abaci.evaluation.rows import RowFile
from abaci.evaluation.vote import decide_in_order
from abaci.traces.config import MemoryTraceConfig
from abaci.types import Budget, JudgeCalled, Problem, Sampling, Trajectory
from training.dataset import held_out, question_of
from training.problem import Split

SETS = ("numbers", "phrasings", "families", "svamp")
CHAINS = 8
TOGETHER = 4
"""Problems at a time: 32 chains keep a small engine busy."""
BRIEFLY = JudgeLimits(attempts=2, max_tokens=64)
"""Reasons, and where these have no end, the verdict alone."""

METHODS: dict[str, AggregatorConfig] = {
    "vote": SelfConsistencyConfig(),
    "vote, by logprob": SelfConsistencyConfig(weight="logprob"),
    "vote, by tail entropy": SelfConsistencyConfig(weight="tail_entropy"),
    "adaptive, Beta 0.95": AdaptiveConfig(rule=BetaRule()),
    "adaptive, supermajority 2→4→8": AdaptiveConfig(rule=SupermajorityRule()),
    "AoR": AorConfig(first_samples=CHAINS, judge=BRIEFLY),
    "GenSelect": GenSelectConfig(selections=1, judge=BRIEFLY),
    "universal": UniversalConfig(judge=BRIEFLY),
}


@dataclass(frozen=True)
class Verdict:
    """What a method made of one problem."""

    is_right: bool
    samples: int
    is_answered: bool
    calls: tuple[JudgeCalled, ...]


@dataclass(frozen=True)
class Outcome:
    """One problem: which of its chains are right, and each method's verdict."""

    right: list[bool]
    verdicts: dict[str, Verdict]


class Live:
    """Draws chains and lets every method decide on them."""

    def __init__(self, solver: Solver) -> None:
        self._solver = solver
        self._equal = solver.services.equal

    async def measure(self, problems: Iterator[Problem], seconds: float) -> list[Outcome]:
        """The outcomes of `problems`, as many as there is time for, `TOGETHER` at once."""
        deadline = time.monotonic() + seconds
        outcomes: list[Outcome] = []

        async def work() -> None:
            for problem in problems:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return
                try:
                    async with asyncio.timeout(left_s):
                        outcomes.append(await self._measure_one(problem))
                except TimeoutError:
                    return

        async with asyncio.TaskGroup() as group:
            for _ in range(TOGETHER):
                group.create_task(work())
        return outcomes

    async def _measure_one(self, problem: Problem) -> Outcome:
        chains = await self._draw(problem)
        right = [chain.answer is not None and await self._is_right(problem, chain.answer.raw) for chain in chains]
        verdicts = {name: await self._decide(config, problem, chains) for name, config in METHODS.items()}
        return Outcome(right, verdicts)

    async def _draw(self, problem: Problem) -> list[Trajectory]:
        """`CHAINS` chains, none of them cancelled: a weighted vote waits for all."""
        everything = SolveOptions(
            aggregator=SelfConsistencyConfig(weight="logprob"), budget=Budget(samples=CHAINS), sampling=Sampling(seed=0)
        )
        return list((await self._solver.solve(problem, everything)).trajectories)

    async def _decide(self, config: AggregatorConfig, problem: Problem, chains: list[Trajectory]) -> Verdict:
        calls: list[JudgeCalled] = []
        aggregator = make_aggregator(config, self._equal, Judge(self._solver.services.backend, calls.append))
        decided, used = await decide_in_order(problem, chains, aggregator)
        is_right = decided.answer is not None and await self._is_right(problem, decided.answer.raw)
        return Verdict(is_right, used, decided.answer is not None, tuple(calls))

    async def _is_right(self, problem: Problem, answer: str) -> bool:
        return await self._equal(problem.reference or "", answer)


def problems_of(name: str, count: int, data: Path) -> list[Problem]:
    """The first `count` problems of a set in a fixed random order."""
    if name == "svamp":
        rows = [(question_of(row), f"{row['Answer']:g}") for _, row in RowFile(data / "svamp_test.jsonl.gz")]
    else:
        split: Split = name  # type: ignore[assignment]
        rows = [(row.question, row.answer) for row in held_out(split, count) if row.answer is not None]
    Random(0).shuffle(rows)
    return [Problem(question=question, reference=answer) for question, answer in islice(rows, count)]


def digest_of(model: Path) -> str:
    """The beginning of the SHA-256 of a model's weights: figures are of these and of no other."""
    return sha256((model / "model.safetensors").read_bytes()).hexdigest()[:12]


def show(outcomes: list[Outcome]) -> None:
    """Print a row for each method."""
    right = np.array([outcome.right for outcome in outcomes], dtype=float)
    print(f"mean of the chains {100 * right.mean():.1f} %, oracle {100 * right.any(axis=1).mean():.1f} %\n")
    columns = "method", "accuracy, %", "points against the vote", "samples", "abstained", "judge calls", "of them read"
    print(f"| {' | '.join((*columns, 'judge tokens a problem'))} |\n|{'---|' * (len(columns) + 1)}")
    vote = np.array([outcome.verdicts["vote"].is_right for outcome in outcomes], dtype=float)
    for name in METHODS:
        verdicts = [outcome.verdicts[name] for outcome in outcomes]
        solved = np.array([verdict.is_right for verdict in verdicts], dtype=float)
        calls = [call for verdict in verdicts for call in verdict.calls]
        cells = (
            name,
            f"{100 * solved.mean():.1f} ({{:.1f}} to {{:.1f}})".format(*bootstrap(solved)),
            f"{100 * (solved - vote).mean():+.1f} ({{:+.1f}} to {{:+.1f}})".format(*bootstrap(solved - vote)),
            f"{np.mean([verdict.samples for verdict in verdicts]):.2f}",
            sum(not verdict.is_answered for verdict in verdicts),
            len(calls),
            sum(call.error is None for call in calls),
            f"{sum(call.usage.completion_tokens for call in calls) / len(outcomes):.0f}",
        )
        print(f"| {' | '.join(map(str, cells))} |")


async def measure_live(name: str, count: int, minutes: float, data: Path) -> None:
    """Prints the table for a set."""
    began = time.monotonic()
    problems = problems_of(name, count, data)
    # Nothing else of this machine's configuration, and no trace of it.
    settings = Settings(traces=MemoryTraceConfig(), max_chains=CHAINS * TOGETHER)
    async with Solver(settings, is_last=True) as solver:
        started = time.monotonic()
        outcomes = await Live(solver).measure(iter(problems), 60 * minutes - (started - began))
        spent_s = time.monotonic() - started
        print(f"{name}: {len(outcomes)} of {len(problems)} problems, {CHAINS} chains each, in {spent_s:.0f} s", end="")
        model = Path(solver.services.backend.info.model)
        print(
            f" on {platform.machine()}, {TOGETHER} problems at a time; model {model.name}, weights {digest_of(model)}"
        )
        if outcomes:
            show(outcomes)
        sys.stdout.flush()


def main() -> int:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=SETS, default="numbers")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=10.0, help="of all, the engine's start included")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    given = parser.parse_args()
    asyncio.run(measure_live(given.set, given.problems, given.minutes, given.data))
    return 0


if __name__ == "__main__":
    sys.exit(main())
