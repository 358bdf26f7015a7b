"""Atomic Self-Consistency: what many chains say becomes the text (Thirukovalluru et al. 2024, arXiv 2405.13131).

The answer is another aggregator's. Its explanation is merged from the atoms that several of the winner's chains share,
and must box that answer. A long-form problem has no answer to vote on: the merged text of all chains is the answer, and
may hold no number that they do not share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import accumulate

from abaci.aggregation.atoms import Atom, split_all
from abaci.aggregation.base import Aggregator, Progress
from abaci.aggregation.buckets import AnswerEquality, equal_text
from abaci.aggregation.candidates import distinct
from abaci.aggregation.clusters import AtomCluster, cluster_atoms
from abaci.aggregation.config import AtomicConfig
from abaci.aggregation.embedding import Embedder
from abaci.aggregation.judge import Judge, Question, Unreadable
from abaci.aggregation.prompt import Prompt, make_prompt
from abaci.aggregation.signature import digits, signature
from abaci.answers.extract import extract_boxed
from abaci.answers.normalize import make_answer
from abaci.types import Answer, Bucket, Decided, Decision, Deliberating, Problem, StopReason, Trajectory

MAX_MERGED = 60
"""Clusters given to the merge: those with most chains."""


class Atomic:
    """Merges what chains agree on to one text.

    Support counts chains with different texts. Where the merge fails, the shared atoms stand in their order for a
    long-form answer; an explanation stays the one chain that the answer's aggregator chose.
    """

    def __init__(
        self,
        config: AtomicConfig,
        inner: Aggregator,
        judge: Judge,
        embedder: Embedder,
        equal: AnswerEquality = equal_text,
    ) -> None:
        self._config = config
        self._inner = inner
        self._judge = judge
        self._embedder = embedder
        self._equal = equal

    @property
    def first_samples(self) -> int | None:
        """As the answer's aggregator has it."""
        return self._inner.first_samples

    def is_settled(self, buckets: Sequence[Bucket], progress: Progress) -> bool:
        """As the answer's aggregator has it: what is still running is not needed for the explanation."""
        return self._inner.is_settled(buckets, progress)

    async def decide(
        self, problem: Problem, trajectories: Sequence[Trajectory], progress: Progress
    ) -> Decision | Deliberating:
        """The inner decision with a merged explanation; for a long-form problem the merged answer."""
        if problem.kind == "long_form":
            return await self._answer_at_length(problem, trajectories)
        decision = await self._inner.decide(problem, trajectories, progress)
        if not isinstance(decision, Decided) or decision.answer is None:
            return decision
        answer = decision.answer
        winner = next(bucket for bucket in decision.buckets if bucket.answer == answer)
        samples = distinct(chain for chain in trajectories if chain.chain in winner.chains)
        # One chain shares nothing with others: it explains itself.
        clusters = await self._shared(problem, samples) if len(samples) > 1 else []
        if not clusters:
            return decision
        merged = await self._merge_solution(problem, answer, clusters)
        if merged is None:
            warning = "no merged explanation boxed the answer: one chain explains it"
            return decision.model_copy(update={"warnings": (*decision.warnings, warning)})
        reason = f"{decision.reason}; explained by {len(clusters)} steps that chains share"
        return decision.model_copy(update={"explanation": merged, "reason": reason})

    async def _shared(self, problem: Problem, samples: Sequence[Trajectory]) -> list[AtomCluster]:
        """The clusters with enough support, in order of their place; those with most chains where there are many.

        As many as the judge can read.
        """
        atoms = split_all(samples)
        if not atoms:
            return []
        # Off the event loop: clustering takes a while.
        found = await asyncio.to_thread(self._cluster, atoms)
        enough = [cluster for cluster in found if len(cluster.chains) >= min(self._config.min_support, len(samples))]
        strongest = sorted(enough, key=lambda cluster: -len(cluster.chains))[:MAX_MERGED]
        room = self._judge.room_chars(problem.question, self._config.judge)
        lengths = accumulate(len(cluster.text) + len("- \n") for cluster in strongest)
        fitting = [cluster for cluster, length in zip(strongest, lengths, strict=True) if length <= room]
        return [cluster for cluster in enough if cluster in fitting]

    def _cluster(self, atoms: Sequence[Atom]) -> list[AtomCluster]:
        return cluster_atoms(atoms, self._embedder, self._config.max_distance)

    async def _merge_solution(self, problem: Problem, answer: Answer, clusters: Sequence[AtomCluster]) -> str | None:
        async def read(reply: str) -> str:
            boxed = extract_boxed(reply)
            if boxed is None or not await self._equal(make_answer(boxed).canonical, answer.canonical):
                raise Unreadable(f"it does not end with the answer {answer.raw} in \\boxed{{}}")
            return reply.strip()

        prompt = make_prompt("merge_answer", question=problem.question, atoms=_listed(clusters), answer=answer.raw)
        return await self._judge.ask(_question(prompt, clusters), read, self._config.judge)

    async def _answer_at_length(self, problem: Problem, trajectories: Sequence[Trajectory]) -> Decided:
        """The text that the chains share; no answer where they share nothing."""
        chains = [chain for chain in trajectories if chain.stop_reason not in (StopReason.ERROR, StopReason.CANCELLED)]
        samples = distinct(chains)
        clusters = await self._shared(problem, samples)
        if not clusters:
            return Decided(answer=None, reason=f"{len(samples)} chains share no statement")
        prompt = make_prompt("merge_long_form", question=problem.question, atoms=_listed(clusters))
        known = frozenset[str]().union(*map(signature, (problem.question, *(cluster.text for cluster in clusters))))

        async def read(reply: str) -> str:
            if not reply.strip():
                raise Unreadable("it is empty")
            if added := sorted(digits(reply) - known):
                raise Unreadable(f"no fact has the numbers {', '.join(added)}")
            return reply.strip()

        merged = await self._judge.ask(_question(prompt, clusters), read, self._config.judge)
        warnings = () if merged else ("the statements could not be merged: they are listed",)
        text = merged or _listed(clusters)
        support = sum(len(cluster.chains) for cluster in clusters) / (len(clusters) * len(samples))
        return Decided(
            answer=Answer(raw=text, canonical=text),
            explanation=text,
            confidence=min(1.0, support),
            reason=f"merged from {len(clusters)} statements that chains share",
            warnings=warnings,
        )


def _question(prompt: Prompt, clusters: Sequence[AtomCluster]) -> Question:
    chains = sorted({chain for cluster in clusters for chain in cluster.chains})
    return Question("merge", prompt, tuple(chains))


def _listed(clusters: Sequence[AtomCluster]) -> str:
    return "\n".join(f"- {cluster.text}" for cluster in clusters)
