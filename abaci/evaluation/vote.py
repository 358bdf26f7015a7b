"""Vote over recorded candidate answers: what an aggregator makes of them, without any model.

The candidates of a question are its chains, in the order of the file: an aggregator that asks for fewer at first gets
the first ones, and the next ones when it asks for more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, FiniteFloat, JsonValue, model_validator

from abaci.aggregation.base import Aggregator, Progress, conclude
from abaci.answers.normalize import make_answer
from abaci.evaluation.rows import MalformedRow, TypedRows
from abaci.evaluation.timing import percentage
from abaci.grading.grader import Grader
from abaci.types import Decided, Problem, Rationale, StopReason, Trajectory, Usage, Value


class Candidate(BaseModel):
    """One recorded answer: which run gave it and the verdict; where recorded its text, and what a vote may weigh.

    These are as in `Trajectory`: `mean_logprob` in nats a token, `tail_entropy` in nats, `reward` a logit.
    """

    run: str
    answer: str | None
    correct: bool
    text: str = ""
    mean_logprob: FiniteFloat | None = None
    tail_entropy: FiniteFloat | None = None
    reward: FiniteFloat | None = None


class Pool(BaseModel):
    """One question with its candidates.

    Two schemas are read: `gold` with `candidates` (objects as in `Candidate`), and `gt` with parallel lists `pred` and
    `score`, where the run is the position in the list; `pred_score`, a number or a list of them whose last counts, is
    the reward.
    """

    gold: str
    candidates: list[Candidate]
    question: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_lists(cls, row: object) -> object:
        if not isinstance(row, dict) or "candidates" in row:
            return row
        missing = [name for name in ("gt", "pred", "score") if name not in row]
        if missing:
            raise ValueError(f"neither `candidates` nor `{'`, `'.join(missing)}`")
        preds, scores = row["pred"], row["score"]
        texts = row.get("response") or row.get("code") or [""] * len(preds)
        rewards = row.get("pred_score") or [None] * len(preds)
        if not (len(preds) == len(scores) == len(texts) == len(rewards)):
            raise ValueError("`pred`, `score`, `pred_score` and the texts have different lengths")
        candidates = [
            {"run": str(index), "answer": pred or None, "correct": score, "text": text, "reward": _last(reward)}
            for index, (pred, score, text, reward) in enumerate(zip(preds, scores, texts, rewards, strict=True))
        ]
        return {"gold": row["gt"], "question": row.get("question"), "candidates": candidates}

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if not self.candidates:
            raise ValueError("a question without candidates")
        return self


class VoteReport(Value):
    """Accuracies in per cent of the questions.

    `oracle`: some candidate is right. `best_single`: the best run on its own. `abstained` counts questions without a
    decision, which count as wrong. `mean_samples`: candidates looked at per question.
    """

    questions: int
    accuracy: float
    oracle: float
    best_single: float
    abstained: int
    mean_samples: float
    best_run: str | None = None
    judge_usage: Usage = Usage()
    """What the aggregator's judge cost, over all questions."""
    warnings: dict[str, int] = Field(default_factory=dict)
    """What the aggregator warned of, and at how many questions."""
    malformed_rows: tuple[MalformedRow, ...] = ()


async def vote_pools(path: Path, aggregator: Aggregator, grader: Grader) -> VoteReport:
    """Lets `aggregator` decide every question of a file of `Pool`s; `grader` compares its answer with the gold one.

    Raises:
        InvalidInput: the file cannot be opened.
        GradingError, SandboxError: answers cannot be compared.
    """
    rows = TypedRows(path, Pool)
    questions = solved = possible = abstained = samples = 0
    runs: Counter[str] = Counter()
    warnings: Counter[str] = Counter()
    for line, pool in rows:
        problem = Problem(question=pool.question or f"question of line {line}", reference=pool.gold)
        decision, used = await decide_in_order(problem, make_chains(pool), aggregator)
        questions += 1
        samples += used
        warnings.update(decision.warnings)
        possible += any(candidate.correct for candidate in pool.candidates)
        runs.update(candidate.run for candidate in pool.candidates if candidate.correct)
        if decision.answer is None:
            abstained += 1
        else:
            solved += (await grader.compare(pool.gold, decision.answer.raw)).is_equal
    best = max(runs.items(), key=lambda item: (item[1], item[0]), default=None)
    return VoteReport(
        questions=questions,
        accuracy=percentage(solved, questions),
        oracle=percentage(possible, questions),
        best_single=percentage(best[1] if best else 0, questions),
        abstained=abstained,
        mean_samples=round(samples / questions, 2) if questions else 0.0,
        best_run=best[0] if best else None,
        warnings=dict(warnings.most_common()),
        malformed_rows=rows.malformed,
    )


async def decide_in_order(
    problem: Problem, chains: Sequence[Trajectory], aggregator: Aggregator
) -> tuple[Decided, int]:
    """The decision on recorded chains, which `aggregator` gets in their order as it asks; and how many it took."""
    used = min(aggregator.first_samples or len(chains), len(chains))
    notes: dict[str, JsonValue] = {}
    while True:
        progress = Progress(finished=used, started=used, remaining=len(chains) - used, notes=notes)
        decision = await conclude(aggregator, problem, chains[:used], progress)
        if isinstance(decision, Decided):
            return decision, used
        if used == len(chains):
            return Decided(answer=None, reason="every candidate was looked at and the aggregator wants more"), used
        used = min(len(chains), used + decision.samples)
        notes = decision.notes


def make_chains(pool: Pool) -> list[Trajectory]:
    """The candidates of a pool as chains."""
    return [_make_trajectory(index, candidate) for index, candidate in enumerate(pool.candidates)]


def _make_trajectory(index: int, candidate: Candidate) -> Trajectory:
    answer = make_answer(candidate.answer) if candidate.answer and candidate.answer.strip() else None
    return Trajectory(
        chain=index,
        steps=(Rationale(text=candidate.text),) if candidate.text else (),
        answer=answer,
        stop_reason=StopReason.ANSWER if answer else StopReason.NO_CODE,
        mean_logprob=candidate.mean_logprob,
        tail_entropy=candidate.tail_entropy,
        reward=candidate.reward,
    )


def _last(reward: object) -> object:
    return reward[-1] if isinstance(reward, list) and reward else reward
