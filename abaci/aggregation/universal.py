"""Universal self-consistency: a judge names the most consistent response (Chen et al. 2023, arXiv 2311.17311)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from abaci.aggregation.base import Progress
from abaci.aggregation.buckets import AnswerEquality, bucket_trajectories, equal_text
from abaci.aggregation.candidates import label_range, multiplicity, quote
from abaci.aggregation.choice import decide_for
from abaci.aggregation.config import UniversalConfig
from abaci.aggregation.judge import Judge, Question
from abaci.aggregation.prompt import make_prompt
from abaci.aggregation.replies import ChoiceReader
from abaci.aggregation.self_consistency import decide_by_vote
from abaci.types import Bucket, Decided, Problem, Trajectory


class Universal:
    """One judge call over the first responses; the majority decides where its reply cannot be used.

    The judge is shown a text as often as it occurs, in lowest terms.
    """

    def __init__(self, config: UniversalConfig, judge: Judge, equal: AnswerEquality = equal_text) -> None:
        self._config = config
        self._judge = judge
        self._equal = equal

    @property
    def first_samples(self) -> int | None:
        """The whole budget at once."""
        return None

    def is_settled(self, buckets: Sequence[Bucket], progress: Progress) -> bool:
        """False: the judge reads every response."""
        return False

    async def decide(self, problem: Problem, trajectories: Sequence[Trajectory], progress: Progress) -> Decided:
        """The answer of the response that the judge names."""
        buckets = await bucket_trajectories(trajectories, self._equal)
        if len(buckets) < 2:
            return decide_by_vote(buckets, trajectories)
        shown = _in_lowest_terms([chain for chain in trajectories if chain.answer])[: self._config.limit]
        prompt = make_prompt(
            "universal",
            question=problem.question,
            chains=quote(shown, "Response", self._judge.room_chars(problem.question, self._config.judge)),
            labels=f"response {label_range(len(shown))}",
        )
        reader = ChoiceReader(len(shown))
        chains = tuple(chain.chain for chain in shown)
        question = Question("universal self-consistency", prompt, chains, reader.form)
        choice = await self._judge.ask(question, reader, self._config.judge)
        if choice is None:
            decided = decide_by_vote(buckets, trajectories)
            return decided.model_copy(
                update={"warnings": ("the judge's choice could not be used: the majority decides",)}
            )
        return decide_for(shown[choice - 1], buckets, f"the judge finds response {choice} the most consistent")


def _in_lowest_terms(answered: Sequence[Trajectory]) -> list[Trajectory]:
    """The chains by index, each text as often as it occurs divided by what all of these numbers have in common."""
    counts = multiplicity(answered)
    common = math.gcd(*counts.values())
    by_index = {chain.chain: chain for chain in answered}
    rounds = max(counts.values()) // common
    return [by_index[index] for turn in range(rounds) for index, count in counts.items() if turn < count // common]
