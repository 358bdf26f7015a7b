"""Grade labelled pairs of answers and say how often the grader agrees with the labels."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field

from abaci.evaluation.rows import MalformedRow, TypedRows
from abaci.evaluation.timing import percentage, percentile_ms
from abaci.grading.grader import DEFAULT_PLACES, Grader, Rules
from abaci.grading.verdict import Verdict
from abaci.types import Value


class PairRules(BaseModel):
    """What a pair's label presumes: decimals that count, and whether names of unknowns matter."""

    precision: int = Field(default=DEFAULT_PLACES, ge=0, le=15)
    strict: bool = True


class LabelledPair(BaseModel):
    """One row: two answers and whether they are equal. `raw_text`: both are texts that hold an answer."""

    gold: str | None
    pred: str | None
    equal: bool
    raw_text: bool = False
    extra: PairRules | None = None


class Disagreement(Value):
    """A pair that the grader and its label judge differently."""

    line: int
    gold: str | None
    pred: str | None
    equal: bool
    verdict: Verdict


class GradeReport(Value):
    """Agreement in per cent; `false_positives` are pairs called equal against the label; latencies in milliseconds."""

    pairs: int
    agreement: float
    false_positives: int
    false_negatives: int
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    disagreements: tuple[Disagreement, ...] = ()
    malformed_rows: tuple[MalformedRow, ...] = ()


async def grade_pairs(path: Path, grader: Grader) -> GradeReport:
    """Grades every pair of a file of `LabelledPair`s, one after another.

    Raises:
        InvalidInput: the file cannot be opened.
        GradingError, SandboxError: the grader or its sandbox is broken.
    """
    rows = TypedRows(path, LabelledPair)
    durations_s: list[float] = []
    disagreements: list[Disagreement] = []
    for line, pair in rows:
        verdict = await _grade(pair, grader)
        durations_s.append(verdict.duration_s)
        if verdict.is_equal != pair.equal:
            disagreements.append(
                Disagreement(line=line, gold=pair.gold, pred=pair.pred, equal=pair.equal, verdict=verdict)
            )
    false_positives = sum(item.verdict.is_equal for item in disagreements)
    return GradeReport(
        pairs=len(durations_s),
        agreement=percentage(len(durations_s) - len(disagreements), len(durations_s)),
        false_positives=false_positives,
        false_negatives=len(disagreements) - false_positives,
        p50_ms=percentile_ms(durations_s, 50),
        p99_ms=percentile_ms(durations_s, 99),
        max_ms=percentile_ms(durations_s, 100),
        disagreements=tuple(disagreements),
        malformed_rows=rows.malformed,
    )


async def _grade(pair: LabelledPair, grader: Grader) -> Verdict:
    if pair.gold is None or pair.pred is None:
        return Verdict(is_equal=False, method="guard", reason="an absent answer equals nothing")
    extra = pair.extra or PairRules()
    rules = Rules(places=extra.precision, is_strict=extra.strict)
    if pair.raw_text:
        return await grader.compare_texts(pair.gold, pair.pred, rules)
    return await grader.compare(pair.gold, pair.pred, rules)
