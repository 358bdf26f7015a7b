"""Aggregation of Reasoning: the answer whose chains reason best (Yin et al. 2024, arXiv 2405.12939).

    sample ──▶ score_locally ──▶ evaluate_globally ──clear lead──▶ decided
      ▲                                  │
      └────────── lead below θ ──────────┘

Local scoring grades chains beside others with the same answer; the best stand for their answer in the global
evaluation, which grades the answers against each other. Where the lead is small, more chains are drawn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from statistics import fmean

from pydantic import JsonValue

from abaci.aggregation.aor_panel import Case, Notes, Seat, find_lead, read_notes, seat_panel
from abaci.aggregation.base import Progress
from abaci.aggregation.buckets import AnswerEquality, bucket_trajectories, equal_text
from abaci.aggregation.candidates import label_range, quote
from abaci.aggregation.config import AorConfig
from abaci.aggregation.explain import write_out
from abaci.aggregation.judge import Judge, Question
from abaci.aggregation.prompt import make_prompt
from abaci.aggregation.replies import ScoreReader
from abaci.aggregation.self_consistency import decide_by_vote
from abaci.types import Bucket, Decided, Decision, Deliberating, Problem, SampleMore, Trajectory


class Aor:
    """Judges the chains of each answer, then the answers.

    One answer only needs no judge. An answer none of whose chains reaches ε is out, unless none does: then each keeps
    its best. An answer whose chains could not be scored stays in. Where the global evaluation fails, the best mean of
    local scores decides; where there are none, the majority. Ties go to the answer with more votes, then to the
    earliest chain's.
    """

    def __init__(self, config: AorConfig, judge: Judge, equal: AnswerEquality = equal_text) -> None:
        self._config = config
        self._judge = judge
        self._equal = equal

    @property
    def first_samples(self) -> int | None:
        """n0, or the maximum where that is less."""
        return min(self._config.first_samples, self._config.max_samples)

    def is_settled(self, buckets: Sequence[Bucket], progress: Progress) -> bool:
        """False: any chain may bring the best reasoning."""
        return False

    async def decide(
        self, problem: Problem, trajectories: Sequence[Trajectory], progress: Progress
    ) -> Decision | Deliberating:
        """The next phase, or after the global evaluation the decision or the wish for more chains."""
        buckets = await bucket_trajectories(trajectories, self._equal)
        if len(buckets) < 2:
            return decide_by_vote(buckets, trajectories)
        case = Case(problem, buckets, trajectories)
        notes = read_notes(progress.notes)
        match notes.phase:
            case None:
                return _go_on("score_locally", notes, f"{len(buckets)} different answers")
            case "score_locally":
                return _go_on("evaluate_globally", await self._score_locally(case, notes), "the chains are scored")
            case "evaluate_globally":
                return self._conclude(case, await self._evaluate_globally(case, notes), progress)

    async def _score_locally(self, case: Case, notes: Notes) -> Notes:
        """Scores of the chains that no judge has seen, each in a batch of its own answer."""
        batches: list[tuple[list[Trajectory], list[Trajectory]]] = []
        for bucket in case.buckets:
            members = case.candidates(bucket)
            fresh = [chain for chain in members if chain.chain not in notes.judged]
            examples = _calibration(members, notes)
            size = self._config.batch
            batches += [(fresh[start : start + size], examples) for start in range(0, len(fresh), size)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._score_batch(case.problem, *batch, notes)) for batch in batches]
        scores = {chain: score for task in tasks for chain, score in task.result().items()}
        judged = {chain.chain for fresh, _ in batches for chain in fresh}
        unscored = len(judged) - len(scores)
        warning = (f"local scoring: {unscored} of {len(judged)} chains got no score",) if unscored else ()
        return notes.model_copy(
            update={
                "scores": {**notes.scores, **scores},
                "judged": tuple(sorted({*notes.judged, *judged})),
                "warnings": (*notes.warnings, *warning),
            }
        )

    async def _score_batch(
        self, problem: Problem, chains: Sequence[Trajectory], examples: Sequence[Trajectory], notes: Notes
    ) -> dict[int, float]:
        labels = [str(label) for label in range(1, len(chains) + 1)]
        room = self._judge.room_chars(problem.question, self._config.judge) // (len(chains) + len(examples))
        shown = "\n".join(
            f"{quote([example], 'Example', room)}\nPoints: {notes.scores[example.chain]:g}\n" for example in examples
        )
        prompt = make_prompt(
            "local_scoring",
            question=problem.question,
            examples=f"Already graded, for comparison:\n\n{shown}\n" if shown else "",
            chains=quote(chains, "Chain", room * len(chains)),
            labels=f"chain {label_range(len(chains))}",
        )
        reader = ScoreReader(labels)
        question = Question("local scoring", prompt, tuple(chain.chain for chain in chains), reader.form)
        await self._judge.ask(question, reader, self._config.judge)
        # Also of a reply that stayed incomplete: each score counts by itself.
        return {
            chain.chain: reader.scores[label]
            for chain, label in zip(chains, labels, strict=True)
            if label in reader.scores
        }

    async def _evaluate_globally(self, case: Case, notes: Notes) -> Notes:
        """The mean score of every answer still in, over k rounds; kept where the representatives are the same."""
        panel = seat_panel(case, notes, self._config)
        chains = tuple(seat.chains for seat in panel)
        if len(panel) < 2:
            return notes.model_copy(update={"panel": chains, "means": ()})
        if chains == notes.panel and notes.means:
            return notes
        rounds = max(len(seat.chains) for seat in panel)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._evaluate_round(case, panel, number)) for number in range(rounds)]
        graded = [scores for task in tasks if (scores := task.result()) is not None]
        means = tuple(fmean(scores[place] for scores in graded) for place in range(len(panel))) if graded else ()
        warning = () if graded else ("global evaluation: no reply could be used",)
        return notes.model_copy(update={"panel": chains, "means": means, "warnings": (*notes.warnings, *warning)})

    async def _evaluate_round(self, case: Case, panel: Sequence[Seat], number: int) -> list[float] | None:
        """One representative of every answer, graded side by side, in an order that turns with the rounds."""
        places = [(place + number) % len(panel) for place in range(len(panel))]
        chains = [case.chain(panel[place].chains[number % len(panel[place].chains)]) for place in places]
        labels = [str(label) for label in range(1, len(chains) + 1)]
        room = self._judge.room_chars(case.problem.question, self._config.judge)
        prompt = make_prompt(
            "global_evaluation",
            question=case.problem.question,
            chains=quote(chains, "Option", room),
            labels=f"option {label_range(len(chains))}",
        )
        reader = ScoreReader(labels)
        question = Question("global evaluation", prompt, tuple(chain.chain for chain in chains), reader.form)
        scores = await self._judge.ask(question, reader, self._config.judge)
        if scores is None:
            return None
        by_place = {place: scores[label] for place, label in zip(places, labels, strict=True)}
        return [by_place[place] for place in range(len(panel))]

    def _conclude(self, case: Case, notes: Notes, progress: Progress) -> Decision:
        """The decision, or more chains where the lead is small and there are some to be had."""
        panel = seat_panel(case, notes, self._config)
        lead = find_lead(panel, notes.means)
        if lead is None:
            decided = decide_by_vote(case.buckets, case.trajectories)
            return decided.model_copy(
                update={"warnings": notes.warnings, "reason": f"{decided.reason}; the judge's scores could not be used"}
            )
        buckets = case.scored_buckets(panel, lead)
        more = min(self._config.step, self._config.max_samples - progress.started, progress.remaining)
        if lead.margin is not None and lead.margin < self._config.min_margin and more > 0:
            again = notes.model_copy(update={"phase": None})
            reason = f"the best answer leads by {lead.margin:.1f} points only"
            return SampleMore(samples=more, buckets=buckets, reason=reason, notes=_as_json(again))
        winner = buckets[0]
        return Decided(
            answer=winner.answer,
            explanation=write_out(case.chain(winner.representatives[0])),
            confidence=winner.share,
            buckets=buckets,
            reason=lead.reason,
            warnings=notes.warnings,
        )


def _calibration(members: Sequence[Trajectory], notes: Notes) -> list[Trajectory]:
    """The highest and the lowest scored chain of an answer, to grade new ones by."""
    scored = sorted(
        (chain for chain in members if chain.chain in notes.scores),
        key=lambda chain: (-notes.scores[chain.chain], chain.chain),
    )
    return [scored[0], scored[-1]] if len(scored) > 1 else scored


def _go_on(phase: str, notes: Notes, reason: str) -> Deliberating:
    return Deliberating.model_validate(
        {"phase": phase, "notes": _as_json(notes.model_copy(update={"phase": phase})), "reason": reason}
    )


def _as_json(notes: Notes) -> dict[str, JsonValue]:
    dumped: dict[str, JsonValue] = notes.model_dump(mode="json")
    return dumped
