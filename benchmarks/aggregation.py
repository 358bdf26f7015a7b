"""What each way of merging chains is worth: accuracy, samples and tokens on recorded candidates, beside plain votes.

    python benchmarks/aggregation.py [votes] [adaptive] [judges] [--data FOLDER] [--figures FOLDER]

Without a name everything is measured. `votes`: every method without a judge, on both pools. `adaptive`: samples against
accuracy over the settings of the stopping rules, in the order of the file and in random orders. `judges`: AoR and
GenSelect with a scripted judge of known reliability against the vote that costs the same. Intervals are 95 % bootstrap
intervals over questions. Figures are written as SVG. A figure that misses its anchor is marked with "!", and the exit
status is then 1.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from aggregation_figures import plot_adaptive, plot_judges
from noisy_judge import CHARS_PER_TOKEN, NoisyJudge

from abaci.aggregation.base import Aggregator
from abaci.aggregation.config import (
    AdaptiveConfig,
    AggregatorConfig,
    AorConfig,
    BetaRule,
    GenSelectConfig,
    JudgeLimits,
    SelfConsistencyConfig,
    StoppingRule,
    SupermajorityRule,
    WindowRule,
)
from abaci.app import make_aggregator
from abaci.evaluation.rows import RowFile, TypedRows
from abaci.evaluation.vote import Pool, decide_in_order, make_chains
from abaci.grading.grader import Grader
from abaci.sandbox.auto import open_sandbox
from abaci.sandbox.config import AutoSandboxConfig
from abaci.types import Problem, Rationale, Trajectory

DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"
DEFAULT_FIGURES = Path(__file__).parents[1] / "docs" / "figures"
PARTS = ("votes", "adaptive", "judges")
GSM8K = "answer_pool_gsm8k.jsonl.gz"
MATH = "math100x8_reward_scored.jsonl.gz"

CHAIN_CHARS = 680
"""Mean length of a published ToRA chain on GSM8K: the answer pool has no texts, and is given ones as long as these."""

PROMPT_PRICE = 0.25
"""What a token read costs, in tokens written: prompts are computed at once, and prefixes are cached."""

ORDERS = 3
"""Random orders of the candidates: in the file, the strongest models come first."""

RELIABILITIES = (0.6, 0.7, 0.8, 0.9, 0.95)

UNCUT = JudgeLimits(max_tokens=1_000_000)
"""The scripted judge's tokens are characters: the usual limit would cut its replies off."""


@dataclass(frozen=True)
class Case:
    """One question with recorded chains, and which of their answers are right."""

    problem: Problem
    gold: str
    chains: list[Trajectory]
    right: set[str]

    def shuffled(self, random: Random) -> Case:
        """The same chains in another order."""
        order = random.sample(self.chains, len(self.chains))
        return Case(self.problem, self.gold, renumber(order), self.right)

    def first(self, count: int) -> Case:
        """The first chains only."""
        return Case(self.problem, self.gold, self.chains[:count], self.right)


def renumber(chains: Sequence[Trajectory]) -> list[Trajectory]:
    """The chains with indices in this order."""
    return [chain.model_copy(update={"chain": index}) for index, chain in enumerate(chains)]


@dataclass(frozen=True)
class Outcome:
    """What a method made of every question."""

    right: np.ndarray
    samples: np.ndarray
    abstained: int
    tokens: float = 0.0
    """Mean cost of a question, in tokens written."""
    orders: int = 1
    """How often every question is there."""

    @property
    def accuracy(self) -> float:
        """In per cent."""
        return 100 * float(self.right.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """95 % bootstrap interval of the accuracy, in per cent."""
        return bootstrap(self.right, self.orders)


def bootstrap(values: np.ndarray, orders: int = 1, draws: int = 2000) -> tuple[float, float]:
    """The 95 % interval of the mean of `values`, in per cent, by drawing questions again.

    `values` holds every question once for each of `orders` orders: these are not independent, so they stay together.
    """
    values = values.reshape(orders, -1).mean(axis=0)
    random = np.random.default_rng(0)
    means = [values[random.integers(0, len(values), len(values))].mean() for _ in range(draws)]
    low, high = np.percentile(means, [2.5, 97.5])
    return 100 * float(low), 100 * float(high)


class Bench:
    """Runs methods over cases."""

    def __init__(self, grader: Grader) -> None:
        self._grader = grader
        self._nobody = NoisyJudge(0.5).judge()

    async def run(self, config: AggregatorConfig, cases: Sequence[Case], noisy: NoisyJudge | None = None) -> Outcome:
        """What `config` makes of `cases`, with `noisy` as the judge."""
        judge = noisy.judge() if noisy else self._nobody
        aggregator = make_aggregator(config, self._grader.are_equal, judge)
        before = noisy.usage if noisy else None
        rows = [await self._decide(aggregator, case, noisy) for case in cases]
        right, samples, has_answer = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
        tokens = float(sum(written(case, int(used)) for case, used in zip(cases, samples, strict=True)))
        if noisy and before:
            tokens += (noisy.usage.completion_tokens - before.completion_tokens) / CHARS_PER_TOKEN
            tokens += PROMPT_PRICE * (noisy.usage.prompt_tokens - before.prompt_tokens) / CHARS_PER_TOKEN
        orders = len(cases) // len({case.problem for case in cases})
        return Outcome(right, samples, int((1 - has_answer).sum()), tokens / len(cases), orders)

    async def _decide(self, aggregator: Aggregator, case: Case, noisy: NoisyJudge | None) -> tuple[bool, int, bool]:
        if noisy:
            noisy.take_up(case.right)
        decided, used = await decide_in_order(case.problem, case.chains, aggregator)
        if decided.answer is None:
            return False, used, False
        verdict = await self._grader.compare(case.gold, decided.answer.raw)
        return verdict.is_equal, used, True


def written(case: Case, count: int) -> float:
    """Tokens that the first `count` chains wrote."""
    chars = sum(len(step.text) for chain in case.chains[:count] for step in chain.steps if isinstance(step, Rationale))
    return chars / CHARS_PER_TOKEN


def load_cases(data: Path, name: str) -> list[Case]:
    """The questions of a pool. Chains without a text get one of typical length, no two alike."""
    questions = [str(row["question"]) for _, row in RowFile(data / "gsm8k_test.jsonl.gz")]
    indices = [row.get("idx") for _, row in RowFile(data / name)]
    cases = []
    for (line, pool), index in zip(TypedRows(data / name, Pool), indices, strict=True):
        question = pool.question or (questions[index] if isinstance(index, int) else f"question of line {line}")
        chains = [chain if chain.steps else padded(chain) for chain in make_chains(pool)]
        right = {str(candidate.answer) for candidate in pool.candidates if candidate.correct}
        cases.append(Case(Problem(question=question), pool.gold, chains, right))
    return cases


def padded(chain: Trajectory) -> Trajectory:
    """`chain` with a text as long as a chain of its kind."""
    opening = f"Chain {chain.chain} says: "
    return chain.model_copy(update={"steps": (Rationale(text=opening + "x" * (CHAIN_CHARS - len(opening))),)})


def in_random_orders(cases: Sequence[Case], orders: int = ORDERS) -> list[Case]:
    """Every case in several random orders."""
    return [case.shuffled(Random(f"{order}:{index}")) for order in range(orders) for index, case in enumerate(cases)]


class Table:
    """Prints rows, as Markdown, and remembers whether all reach their anchors."""

    def __init__(self, *columns: str) -> None:
        self.is_good = True
        print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")

    def add(self, *cells: object, is_reached: bool = True) -> None:
        """One row; `is_reached`: it is as good as its anchor."""
        self.is_good &= is_reached
        print(f"| {' | '.join(map(str, cells))} |{'' if is_reached else ' !'}", flush=True)


def with_interval(outcome: Outcome) -> str:
    """ "86.8 (84.1 to 89.2)"."""
    low, high = outcome.interval
    return f"{outcome.accuracy:.2f} ({low:.1f} to {high:.1f})"


async def measure_votes(bench: Bench, data: Path, _: Path) -> bool:
    """Every method without a judge, on both pools, in the order of the file."""
    anchors = {(GSM8K, "vote"): 86.82, (MATH, "vote, by reward"): 94.0, (GSM8K, "adaptive, Beta 0.95"): 86.82}
    most = {(GSM8K, "adaptive, Beta 0.95"): 7.9, (GSM8K, "adaptive, supermajority 2→4→8"): 6.0}
    methods: dict[str, AggregatorConfig] = {
        "vote": SelfConsistencyConfig(),
        "vote, at least half": SelfConsistencyConfig(min_share=0.5),
        "vote, by reward": SelfConsistencyConfig(weight="reward"),
        "adaptive, Beta 0.95": AdaptiveConfig(),
        "adaptive, windows of 5": AdaptiveConfig(rule=WindowRule()),
        "adaptive, supermajority 2→4→8": AdaptiveConfig(rule=SupermajorityRule()),
    }
    table = Table("pool", "method", "accuracy, %", "samples", "abstained")
    for name in (GSM8K, MATH):
        cases = load_cases(data, name)
        singles = [
            [chain.answer is not None and chain.answer.raw in case.right for chain in case.chains] for case in cases
        ]
        best = Outcome(np.array(singles, dtype=float)[:, np.argmax(np.mean(singles, axis=0))], np.ones(len(cases)), 0)
        oracle = Outcome(np.array([bool(case.right) for case in cases], dtype=float), np.ones(len(cases)), 0)
        table.add(name, "best single", with_interval(best), 1, "")
        for method, config in methods.items():
            if method == "vote, by reward" and all(chain.reward is None for chain in cases[0].chains):
                continue
            found = await bench.run(config, cases)
            samples = float(found.samples.mean())
            is_reached = round(found.accuracy, 2) >= anchors.get((name, method), 0) and samples <= most.get(
                (name, method), 99
            )
            table.add(name, method, with_interval(found), f"{samples:.2f}", found.abstained, is_reached=is_reached)
        table.add(name, "oracle", with_interval(oracle), "", "")
    return table.is_good


RULES: dict[str, Sequence[StoppingRule]] = {
    "Beta": [BetaRule(confidence=level) for level in (0.8, 0.87, 0.9, 0.93, 0.95, 0.97, 0.99)],
    "windows": [WindowRule(size=size) for size in (2, 3, 4, 5, 6)],
    "supermajority": [SupermajorityRule(share=share) for share in (0.6, 0.75, 0.9, 1.0)]
    + [SupermajorityRule(first=3, share=0.75), SupermajorityRule(first=4, share=0.75)],
}


async def measure_adaptive(bench: Bench, data: Path, figures: Path) -> bool:
    """Samples against accuracy, over the settings of the stopping rules."""
    table = Table("order", "rule", "samples", "accuracy, %", "points against the vote, paired")
    cases = load_cases(data, GSM8K)
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    votes: dict[str, float] = {}
    for order, ordered in (("file", cases), ("random", in_random_orders(cases))):
        vote = await bench.run(SelfConsistencyConfig(), ordered)
        votes[order] = vote.accuracy
        table.add(order, "vote", 13, with_interval(vote), "")
        curves[order] = {}
        for family, rules in RULES.items():
            for rule in rules:
                found = await bench.run(AdaptiveConfig(rule=rule), ordered)
                low, high = bootstrap(found.right - vote.right, vote.orders)
                settings = ", ".join(f"{key} {value}" for key, value in rule.model_dump(exclude={"kind"}).items())
                lost = f"{found.accuracy - vote.accuracy:+.2f} ({low:+.1f} to {high:+.1f})"
                table.add(order, f"{family}: {settings}", f"{found.samples.mean():.2f}", with_interval(found), lost)
                curves[order].setdefault(family, []).append((float(found.samples.mean()), found.accuracy))
    plot_adaptive(figures / "adaptive.svg", curves, votes)
    return table.is_good


def vote_at(votes: Sequence[Outcome], tokens: float) -> np.ndarray:
    """How right a vote that costs `tokens` is on every question: in between the two votes that cost about as much.

    Beyond the largest vote there is none: it stands for all that cost more.
    """
    above = next((place for place, vote in enumerate(votes) if vote.tokens >= tokens), len(votes) - 1)
    below = max(0, above - 1)
    span = votes[above].tokens - votes[below].tokens
    share = min(1.0, (tokens - votes[below].tokens) / span) if span else 1.0
    return (1 - share) * votes[below].right + share * votes[above].right


async def measure_judges(bench: Bench, data: Path, figures: Path) -> bool:
    """AoR and GenSelect with a judge of known reliability, against votes that cost the same."""
    cases = in_random_orders(load_cases(data, GSM8K), 1)
    votes = [await bench.run(SelfConsistencyConfig(), [case.first(n) for case in cases]) for n in range(1, 14)]
    table = Table(
        "method", "chains", "reliability", "tokens", "accuracy, %", "vote at the same tokens, %", "judging wins by"
    )
    curves: dict[str, list[tuple[float, float]]] = {"vote": [(vote.tokens, vote.accuracy) for vote in votes]}
    for vote, count in zip(votes, range(1, 14), strict=True):
        if count in (1, 3, 5, 8, 13):
            table.add("vote", count, "", f"{vote.tokens:.0f}", with_interval(vote), "", "")
    makers: dict[str, Callable[[int], AggregatorConfig]] = {
        "AoR": lambda count: AorConfig(first_samples=max(2, count // 2), step=2, max_samples=count, judge=UNCUT),
        "GenSelect": lambda count: GenSelectConfig(selections=1, judge=UNCUT),
    }
    for method, make in makers.items():
        for reliability in RELIABILITIES:
            points = []
            for count in (4, 8, 13):
                noisy = NoisyJudge(reliability)
                found = await bench.run(make(count), [case.first(count) for case in cases], noisy)
                equal = vote_at(votes, found.tokens)
                low, high = bootstrap(found.right - equal)
                won = f"{found.accuracy - 100 * equal.mean():+.2f} ({low:+.1f} to {high:+.1f})"
                cells = (
                    f"{reliability:.0%}",
                    f"{found.tokens:.0f}",
                    with_interval(found),
                    f"{100 * equal.mean():.2f}",
                    won,
                )
                table.add(method, f"{found.samples.mean():.1f}", *cells)
                points.append((found.tokens, found.accuracy))
            curves[f"{method}, judge {reliability:.0%}"] = points
    plot_judges(figures / "judges.svg", curves)
    return table.is_good


async def measure(data: Path, figures: Path, parts: Sequence[str]) -> bool:
    """Measures the chosen parts; whether every anchor was reached."""
    measures = {"votes": measure_votes, "adaptive": measure_adaptive, "judges": measure_judges}
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    async with open_sandbox(AutoSandboxConfig()) as sandbox, Grader(sandbox) as grader:
        bench = Bench(grader)
        results = [await measures[part](bench, data, figures) for part in parts]
    return all(results)


def main() -> int:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help="votes, adaptive or judges")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ABACI_DATA", DEFAULT_DATA)))
    parser.add_argument("--figures", type=Path, default=DEFAULT_FIGURES)
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    if not arguments.data.is_dir():
        print(f"no data folder at {arguments.data}: give --data or set ABACI_DATA", file=sys.stderr)
        return 2
    arguments.figures.mkdir(parents=True, exist_ok=True)
    return 0 if asyncio.run(measure(arguments.data, arguments.figures, arguments.parts or PARTS)) else 1


if __name__ == "__main__":
    sys.exit(main())
