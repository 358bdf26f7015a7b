"""GenSelect: a judge compares candidate solutions and selects one (Moshkov et al. 2025, arXiv 2504.16891)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random

from abaci.aggregation.base import Progress
from abaci.aggregation.buckets import AnswerEquality, bucket_trajectories, equal_text
from abaci.aggregation.candidates import distinct, label_range, quote
from abaci.aggregation.choice import bucket_of, decide_for
from abaci.aggregation.config import GenSelectConfig
from abaci.aggregation.judge import Judge, Question
from abaci.aggregation.prompt import make_prompt
from abaci.aggregation.replies import ChoiceReader
from abaci.aggregation.self_consistency import decide_by_vote
from abaci.types import Bucket, Decided, Problem, Trajectory


class GenSelect:
    """The majority of several selections, each over its own shuffle of the distinct candidates.

    More candidates than a window meet in a tournament of windows. A window of one answer needs no judge; one whose
    judge cannot be read sends the candidate with the most votes. Ties go to the answer with more votes, then to the
    earliest chain's.
    """

    def __init__(self, config: GenSelectConfig, judge: Judge, equal: AnswerEquality = equal_text) -> None:
        self._config = config
        self._judge = judge
        self._equal = equal

    @property
    def first_samples(self) -> int | None:
        """The whole budget at once."""
        return None

    def is_settled(self, buckets: Sequence[Bucket], progress: Progress) -> bool:
        """False: any chain may be the best."""
        return False

    async def decide(self, problem: Problem, trajectories: Sequence[Trajectory], progress: Progress) -> Decided:
        """The answer that most selections end with."""
        buckets = await bucket_trajectories(trajectories, self._equal)
        if len(buckets) < 2:
            return decide_by_vote(buckets, trajectories)
        candidates = distinct(chain for chain in trajectories if chain.answer)
        selections = [
            _Selection(self._judge, self._config, problem, buckets, number) for number in range(self._config.selections)
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(selection.run(candidates)) for selection in selections]
        selected = [task.result() for task in tasks]
        votes = Counter(buckets.index(bucket_of(chain, buckets)) for chain in selected)
        place, count = min(votes.items(), key=lambda item: (-item[1], item[0]))
        chosen = next(chain for chain in selected if chain.chain in buckets[place].chains)
        failures = sum(selection.failures for selection in selections)
        warnings = (f"{failures} judge calls gave no choice: the votes decided there",) if failures else ()
        reason = f"{count} of {len(selected)} selections by the judge"
        if failures and failures == sum(selection.calls for selection in selections):
            reason = "the most votes, since no judge call gave a choice"
        return decide_for(chosen, buckets, reason, warnings)


class _Selection:
    """One way through the tournament."""

    def __init__(
        self, judge: Judge, config: GenSelectConfig, problem: Problem, buckets: Sequence[Bucket], number: int
    ) -> None:
        self._judge = judge
        self._config = config
        self._problem = problem
        self._buckets = buckets
        self._random = Random(f"{config.seed}:{number}")
        self.calls = 0
        """Questions to the judge."""
        self.failures = 0
        """Those that gave no choice."""

    async def run(self, candidates: Sequence[Trajectory]) -> Trajectory:
        """The candidate that wins."""
        left = list(candidates)
        while len(left) > 1:
            self._random.shuffle(left)
            windows = -(-len(left) // self._config.window)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._select(left[first::windows])) for first in range(windows)]
            left = [task.result() for task in tasks]
        return left[0]

    async def _select(self, window: Sequence[Trajectory]) -> Trajectory:
        by_votes = sorted(window, key=lambda chain: (self._buckets.index(bucket_of(chain, self._buckets)), chain.chain))
        if bucket_of(by_votes[0], self._buckets) == bucket_of(by_votes[-1], self._buckets):
            return by_votes[0]
        room = self._judge.room_chars(self._problem.question, self._config.judge)
        prompt = make_prompt(
            "genselect",
            question=self._problem.question,
            chains=quote(window, "Solution", room),
            labels=f"solution {label_range(len(window))}",
        )
        reader = ChoiceReader(len(window))
        question = Question("selection", prompt, tuple(chain.chain for chain in window), reader.form)
        self.calls += 1
        choice = await self._judge.ask(question, reader, self._config.judge)
        if choice is None:
            self.failures += 1
            return by_votes[0]
        return window[choice - 1]
