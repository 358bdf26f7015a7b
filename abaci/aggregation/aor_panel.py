"""AoR's bookkeeping: who stands for which answer before the judge, and which answer leads. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from pydantic import Field, JsonValue, ValidationError

from abaci.aggregation.candidates import distinct
from abaci.aggregation.config import AorConfig
from abaci.types import Bucket, Problem, Trajectory, Value


class Notes(Value):
    """What AoR knows between its phases; chains are named by index."""

    phase: Literal["score_locally", "evaluate_globally"] | None = None
    """The phase to do next; None: the chains are new."""
    scores: dict[int, float] = Field(default_factory=dict)
    """Local scores."""
    judged: tuple[int, ...] = ()
    """Chains shown to the local judge, scored or not."""
    panel: tuple[tuple[int, ...], ...] = ()
    """Representatives of each answer in the last global evaluation."""
    means: tuple[float, ...] = ()
    """Their mean global scores; empty: there is none."""
    warnings: tuple[str, ...] = ()


def read_notes(notes: Mapping[str, JsonValue]) -> Notes:
    """`notes` as AoR wrote them; where they are another method's or damaged, AoR begins anew and warns."""
    try:
        return Notes.model_validate(notes)
    except ValidationError:
        return Notes(warnings=("the notes of an earlier phase could not be read: the chains are judged anew",))


class Case:
    """One problem's chains, by index and by answer."""

    def __init__(self, problem: Problem, buckets: Sequence[Bucket], trajectories: Sequence[Trajectory]) -> None:
        self.problem = problem
        self.buckets = buckets
        self.trajectories = trajectories
        self._by_index = {trajectory.chain: trajectory for trajectory in trajectories}

    def chain(self, index: int) -> Trajectory:
        """The chain of this index."""
        return self._by_index[index]

    def candidates(self, bucket: Bucket) -> list[Trajectory]:
        """The chains of `bucket` with different texts."""
        return distinct(self.chain(index) for index in bucket.chains)

    def scored_buckets(self, panel: Sequence[Seat], lead: Lead) -> tuple[Bucket, ...]:
        """The buckets with representatives and scores, the winner first."""
        seats = {seat.bucket.chains: seat for seat in panel}
        scores = dict(zip((seat.bucket.chains for seat in panel), lead.scores, strict=True))
        made = [
            bucket.model_copy(update={"representatives": seats[bucket.chains].chains, "score": scores[bucket.chains]})
            if bucket.chains in seats
            else bucket
            for bucket in self.buckets
        ]
        return tuple(sorted(made, key=lambda bucket: bucket.chains != lead.winner.chains))


@dataclass(frozen=True, slots=True)
class Seat:
    """An answer before the global judge: its representatives, best first, and their local scores (none: unscored)."""

    bucket: Bucket
    chains: tuple[int, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Lead:
    """Who leads and by how many points; no margin where the points are not the global judge's."""

    winner: Bucket
    scores: tuple[float | None, ...]
    """A score for every seat."""
    margin: float | None
    reason: str


def seat_panel(case: Case, notes: Notes, config: AorConfig) -> list[Seat]:
    """The answers that go before the global judge, most votes first."""
    seats = [_seat(case, bucket, notes, config) for bucket in case.buckets]
    if not any(seat.scores for seat in seats):
        return seats
    if not any(seat.scores and seat.scores[0] >= config.min_score for seat in seats):
        # An answer that nobody scored is no better than these: it does not win for want of a rival.
        return [Seat(seat.bucket, seat.chains[:1], seat.scores[:1]) for seat in seats]
    return [seat for seat in seats if not seat.scores or seat.scores[0] >= config.min_score]


def _seat(case: Case, bucket: Bucket, notes: Notes, config: AorConfig) -> Seat:
    """The k best chains of ε and more; below ε the best one; without any score the first k."""
    k = config.representatives
    members = [chain.chain for chain in case.candidates(bucket)]
    ranked = sorted(
        (chain for chain in members if chain in notes.scores), key=lambda chain: (-notes.scores[chain], chain)
    )
    if not ranked:
        return Seat(bucket, tuple(members[:k]), ())
    good = [chain for chain in ranked if notes.scores[chain] >= config.min_score]
    chosen = tuple((good or ranked[:1])[:k])
    return Seat(bucket, chosen, tuple(notes.scores[chain] for chain in chosen))


def find_lead(panel: Sequence[Seat], means: Sequence[float]) -> Lead | None:
    """The answer that leads by global scores, else by local ones; None: neither are there for every answer."""
    if len(panel) == 1:
        seat = panel[0]
        score = means[0] if means else fmean(seat.scores) if seat.scores else None
        return Lead(seat.bucket, (score,), None, "the only answer whose reasoning passed the local scoring")
    if len(means) == len(panel):
        best, second = sorted(range(len(panel)), key=lambda place: (-means[place], place))[:2]
        margin = means[best] - means[second]
        reason = f"the judge gives it {means[best]:.1f} points, {margin:.1f} more than the next answer"
        return Lead(panel[best].bucket, tuple(means), margin, reason)
    if all(seat.scores for seat in panel):
        local = [fmean(seat.scores) for seat in panel]
        best = max(range(len(panel)), key=lambda place: (local[place], -place))
        reason = f"its chains have the best local scores, {local[best]:.1f} points on average"
        return Lead(panel[best].bucket, tuple(local), None, reason)
    return None
