"""The same methods on chains that the bundled model draws for held-out problems of its training generator.

    python benchmarks/aggregation_live.py [--problems 40]

Every method gets the same eight chains a problem. The bundled model judges too: it was never trained to, so this shows
what a judge that cannot judge costs.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from abaci import Solver
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
)
from abaci.aggregation.judge import Judge
from abaci.app import make_aggregator
from abaci.evaluation.vote import decide_in_order
from abaci.types import Budget, JudgeCalled, Problem, Sampling, Trajectory
from training.dataset import held_out

CHAINS = 8
ONCE = JudgeLimits(attempts=1, max_tokens=64)

METHODS: dict[str, AggregatorConfig] = {
    "vote": SelfConsistencyConfig(),
    "vote, by logprob": SelfConsistencyConfig(weight="logprob"),
    "vote, by tail entropy": SelfConsistencyConfig(weight="tail_entropy"),
    "adaptive, Beta 0.95": AdaptiveConfig(rule=BetaRule()),
    "adaptive, supermajority 2→4→8": AdaptiveConfig(rule=SupermajorityRule()),
    "AoR": AorConfig(first_samples=CHAINS, judge=ONCE),
    "GenSelect": GenSelectConfig(selections=1, judge=ONCE),
}


async def draw(solver: Solver, problem: Problem) -> list[Trajectory]:
    """`CHAINS` chains for `problem`, none of them cancelled: a weighted vote waits for all."""
    everything = SolveOptions(
        aggregator=SelfConsistencyConfig(weight="logprob"), budget=Budget(samples=CHAINS), sampling=Sampling(seed=0)
    )
    return list((await solver.solve(problem, everything)).trajectories)


async def measure_live(problems: int) -> None:
    """Prints a row for each method."""
    rows = [row for row in held_out("phrasings", problems) if row.answer is not None][:problems]
    async with Solver() as solver:
        started = time.monotonic()
        drawn = []
        for row in rows:
            problem = Problem(question=row.question, reference=row.answer)
            drawn.append((problem, await draw(solver, problem)))
        equal = solver.services.equal
        right = [
            [chain.answer is not None and await equal(problem.reference or "", chain.answer.raw) for chain in chains]
            for problem, chains in drawn
        ]
        print(f"{len(drawn)} problems, {CHAINS} chains each, drawn in {time.monotonic() - started:.0f} s")
        print(f"mean of the chains {mean(right):.1f} %, oracle {100 * sum(map(any, right)) / len(right):.1f} %\n")
        print("| method | accuracy, % | samples | abstained | judge calls | of them read |\n|---|---|---|---|---|---|")
        for name, config in METHODS.items():
            calls: list[JudgeCalled] = []
            aggregator = make_aggregator(config, equal, Judge(solver.services.backend, calls.append))
            solved = samples = abstained = 0
            for problem, chains in drawn:
                decided, used = await decide_in_order(problem, chains, aggregator)
                samples += used
                abstained += decided.answer is None
                solved += decided.answer is not None and await equal(problem.reference or "", decided.answer.raw)
            figures = (f"{100 * solved / len(drawn):.1f}", f"{samples / len(drawn):.2f}", abstained)
            readable = sum(call.error is None for call in calls)
            print(f"| {name} | {' | '.join(map(str, figures))} | {len(calls)} | {readable} |", flush=True)


def mean(right: list[list[bool]]) -> float:
    """The share of right chains, in per cent."""
    return 100 * sum(map(sum, right)) / sum(map(len, right))


def main() -> int:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=40)
    asyncio.run(measure_live(parser.parse_args().problems))
    return 0


if __name__ == "__main__":
    sys.exit(main())
