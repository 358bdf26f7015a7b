"""AoR: who is judged, who stands for an answer, who wins, and what a judge that fails costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judges import answer_in, asked, judge_of, scores, shown
from made_chains import chain, chains

from abaci.aggregation.aor import Aor
from abaci.aggregation.base import Progress, conclude
from abaci.aggregation.config import AorConfig
from abaci.backend.base import GenerateRequest
from abaci.types import Decided, Decision, Deliberating, JudgeCalled, Problem, SampleMore, Trajectory

PROBLEM = Problem(question="What is the point?")


def is_local(request: GenerateRequest) -> bool:
    return "All of them reach the same answer" in asked(request)


def judge(
    local: Callable[[str], float] = lambda _: 8, overall: Callable[[str], float] = lambda _: 5
) -> Callable[[GenerateRequest], str]:
    return lambda request: scores(request, local if is_local(request) else overall)


def prefers(answer: str, by: float = 5) -> Callable[[str], float]:
    return lambda text: 4 + by * (answer_in(text) == answer)


async def decide(
    script: Callable[[GenerateRequest], str], members: list[Trajectory], *, remaining: int = 0, **config: Any
) -> tuple[Decision, list[GenerateRequest], list[JudgeCalled]]:
    asker, backend, calls = judge_of(script)
    progress = Progress(finished=len(members), started=len(members), remaining=remaining)
    decision = await conclude(Aor(AorConfig(**config), asker), PROBLEM, members, progress)
    return decision, backend.requests, calls


async def test_a_minority_that_reasons_better_wins() -> None:
    decision, requests, _ = await decide(judge(overall=prefers("2")), chains("1", "1", "1", "2"))
    assert isinstance(decision, Decided)
    assert decision.answer is not None
    assert decision.answer.raw == "2"
    assert decision.buckets[0].representatives == (3,)
    assert decision.buckets[0].score == 9.0
    assert decision.confidence == 0.25
    assert decision.explanation == "Way 3 leads to 2."
    assert all("What is the point?" in asked(request) for request in requests)


async def test_one_answer_needs_no_judge() -> None:
    decision, requests, _ = await decide(judge(), chains("1", "1", None))
    assert isinstance(decision, Decided)
    assert decision.answer is not None
    assert requests == []


async def test_chains_are_scored_beside_others_with_their_answer_five_at_a_time() -> None:
    _, _, calls = await decide(judge(), chains(*"1111112"))
    assert [call.chains for call in calls if call.task == "local scoring"] == [(0, 1, 2, 3, 4), (5,), (6,)]


async def test_the_best_three_of_each_answer_meet_one_by_one() -> None:
    local = {"Way 0": 6, "Way 1": 9, "Way 2": 7, "Way 3": 8, "Way 4": 10, "Way 5": 7}
    _, _, calls = await decide(judge(lambda text: local[text[:5]]), chains(*"111122"))
    # The order turns with the rounds; the answer with fewer representatives starts over.
    assert [call.chains for call in calls if call.task == "global evaluation"] == [(1, 4), (5, 3), (2, 4)]


async def test_an_answer_whose_chains_score_below_the_threshold_is_out() -> None:
    local = {"1": 5.9, "2": 6.0, "3": 7.0}
    decision, _, calls = await decide(judge(lambda text: local[answer_in(text)], prefers("1")), chains(*"111223"))
    assert isinstance(decision, Decided)
    assert [call.chains for call in calls if call.task == "global evaluation"] == [(3, 5), (5, 4)]
    assert decision.answer is not None
    assert decision.answer.raw == "2"


async def test_a_chain_below_the_threshold_never_stands_for_an_answer_with_better_ones() -> None:
    local = {"Way 0": 9, "Way 1": 5.9, "Way 2": 6, "Way 3": 8}
    decision, _, _ = await decide(judge(lambda text: local[text[:5]], prefers("1")), chains(*"1112"))
    assert isinstance(decision, Decided)
    assert decision.buckets[0].representatives == (0, 2)


async def test_when_all_score_below_the_threshold_each_keeps_its_best() -> None:
    local = {"Way 0": 1, "Way 1": 2, "Way 2": 3}
    decision, _, calls = await decide(judge(lambda text: local[text[:5]], prefers("2")), chains(*"112"))
    assert isinstance(decision, Decided)
    assert [call.chains for call in calls if call.task == "global evaluation"] == [(1, 2)]
    assert decision.answer is not None
    assert decision.answer.raw == "2"


async def test_the_only_answer_left_is_decided_without_a_global_evaluation() -> None:
    decision, _, calls = await decide(judge(lambda text: 8 if answer_in(text) == "2" else 3), chains(*"112"))
    assert isinstance(decision, Decided)
    assert decision.answer is not None
    assert decision.answer.raw == "2"
    assert {call.task for call in calls} == {"local scoring"}


async def test_a_small_lead_asks_for_five_more_chains() -> None:
    decision, _, _ = await decide(judge(overall=prefers("2", by=1.9)), chains(*"12"), remaining=30)
    assert isinstance(decision, SampleMore)
    assert decision.samples == 5
    decision, _, _ = await decide(judge(overall=prefers("2", by=2)), chains(*"12"), remaining=30)
    assert isinstance(decision, Decided)


async def test_only_new_chains_are_scored_and_graded_ones_are_shown_to_compare() -> None:
    local = {"Way 0": 7, "Way 1": 9, "Way 2": 8, "Way 3": 6, "Way 4": 6}
    script = judge(lambda text: local[text[:5]])
    asker, backend, calls = judge_of(script)
    aggregator = Aor(AorConfig(), asker)
    first = await conclude(aggregator, PROBLEM, chains(*"112"), Progress(finished=3, started=3, remaining=9))
    assert isinstance(first, SampleMore)
    calls.clear()
    backend.requests.clear()
    progress = Progress(finished=5, started=5, remaining=0, notes=first.notes)
    second = await conclude(aggregator, PROBLEM, chains(*"11211"), progress)
    assert isinstance(second, Decided)
    local_calls = [request for request in backend.requests if is_local(request)]
    assert [call.chains for call in calls if call.task == "local scoring"] == [(3, 4)]
    assert "### Example 1\nWay 1 leads to 1.\nAnswer: 1\nPoints: 9" in asked(local_calls[0])
    assert "### Example 1\nWay 0 leads to 1.\nAnswer: 1\nPoints: 7" in asked(local_calls[0])


async def test_unchanged_representatives_are_not_evaluated_again() -> None:
    script = judge(lambda text: 6 if "Way 2" in text else 9)
    asker, _, calls = judge_of(script)
    aggregator = Aor(AorConfig(representatives=1), asker)
    first = await conclude(aggregator, PROBLEM, chains(*"12"), Progress(finished=2, started=2, remaining=9))
    assert isinstance(first, SampleMore)
    calls.clear()
    progress = Progress(finished=3, started=3, remaining=0, notes=first.notes)
    assert isinstance(await conclude(aggregator, PROBLEM, chains(*"121"), progress), Decided)
    assert [call.task for call in calls] == ["local scoring"]


async def test_a_failed_global_evaluation_falls_back_to_the_local_scores() -> None:
    def script(request: GenerateRequest) -> str:
        return scores(request, lambda text: 6 + 3 * (answer_in(text) == "2")) if is_local(request) else "Hm."

    decision, _, _ = await decide(script, chains(*"1112"), remaining=9)
    assert isinstance(decision, Decided)
    assert decision.answer is not None
    assert decision.answer.raw == "2"
    assert "best local scores" in decision.reason
    assert decision.warnings == ("global evaluation: no reply could be used",)


async def test_without_any_score_the_majority_decides() -> None:
    decision, _, _ = await decide(lambda _: "Hm.", chains(*"1121"), remaining=9)
    assert isinstance(decision, Decided)
    assert decision.answer is not None
    assert decision.answer.raw == "1"
    assert "the judge's scores could not be used" in decision.reason
    assert len(decision.warnings) == 2


async def test_an_answer_that_could_not_be_scored_stays_in() -> None:
    def script(request: GenerateRequest) -> str:
        if is_local(request):
            return "Hm." if answer_in(next(iter(shown(request).values()))) == "1" else scores(request, lambda _: 8)
        return scores(request, prefers("1"))

    decision, _, _ = await decide(script, chains(*"112"))
    assert isinstance(decision, Decided)
    assert decision.answer is not None
    assert decision.answer.raw == "1"
    assert decision.warnings == ("local scoring: 2 of 3 chains got no score",)


async def test_an_answer_that_could_not_be_scored_does_not_win_unopposed() -> None:
    def script(request: GenerateRequest) -> str:
        if is_local(request):
            return "Hm." if answer_in(next(iter(shown(request).values()))) == "2" else scores(request, lambda _: 3)
        return scores(request, prefers("1"))

    decision, _, calls = await decide(script, chains(*"112"))
    assert isinstance(decision, Decided)
    assert [call.chains for call in calls if call.task == "global evaluation"] == [(0, 2)]
    assert decision.answer is not None
    assert decision.answer.raw == "1"


async def test_scores_of_an_incomplete_reply_count() -> None:
    def script(request: GenerateRequest) -> str:
        return '{"scores": {"2": 9}}' if is_local(request) else scores(request, prefers("1"))

    decision, _, _ = await decide(script, chains(*"112"))
    assert isinstance(decision, Decided)
    assert decision.buckets[0].representatives == (1,)


async def test_a_round_that_cannot_be_read_leaves_the_others() -> None:
    def script(request: GenerateRequest) -> str:
        if is_local(request):
            return scores(request, lambda _: 8)
        return "Hm." if "Way 0" in asked(request) else scores(request, prefers("2"))

    decision, _, _ = await decide(script, chains(*"112"))
    assert isinstance(decision, Decided)
    assert decision.answer is not None
    assert decision.answer.raw == "2"
    assert decision.buckets[0].score == 9.0


async def test_equal_scores_go_to_the_answer_with_more_votes() -> None:
    decision, _, _ = await decide(judge(), [chain(0, "2"), chain(1, "1"), chain(2, "1")])
    assert isinstance(decision, Decided)
    assert decision.answer is not None
    assert decision.answer.raw == "1"


async def test_each_phase_ends_with_notes_for_the_next() -> None:
    asker, _, calls = judge_of(judge(overall=prefers("2")))
    aggregator = Aor(AorConfig(), asker)
    progress = Progress(finished=2, started=2, remaining=0)
    phases = []
    decision = await aggregator.decide(PROBLEM, chains(*"12"), progress)
    while isinstance(decision, Deliberating):
        phases.append((decision.phase, len(calls)))
        # As it comes back from a trace or a checkpoint.
        stored = Deliberating.model_validate_json(decision.model_dump_json())
        resumed = Aor(AorConfig(), asker)
        decision = await resumed.decide(PROBLEM, chains(*"12"), progress.model_copy(update={"notes": stored.notes}))
    assert phases == [("score_locally", 0), ("evaluate_globally", 2)]
    assert len(calls) == 3
    assert isinstance(decision, Decided)


@given(
    first=st.integers(1, 12), step=st.integers(1, 7), most=st.integers(1, 25), budget=st.integers(1, 30),
    representatives=st.integers(1, 3),
)  # fmt: skip
async def test_dynamic_sampling_never_exceeds_its_maximum(
    first: int, step: int, most: int, budget: int, representatives: int
) -> None:
    asker, _, _ = judge_of(judge())
    config = AorConfig(first_samples=first, step=step, max_samples=most, representatives=representatives)
    aggregator = Aor(config, asker)
    started = min(first, budget)
    notes: dict[str, Any] = {}
    while True:
        members = chains(*("12" * started)[:started])
        progress = Progress(finished=started, started=started, remaining=budget - started, notes=notes)
        decision = await conclude(aggregator, PROBLEM, members, progress)
        if isinstance(decision, Decided):
            break
        started, notes = started + decision.samples, decision.notes
    assert started <= budget
    assert started <= max(first, most)


@pytest.mark.parametrize("answers", ["", "x", "xx"])
async def test_chains_without_answers_are_never_judged(answers: str) -> None:
    members = [chain(index, None) for index in range(len(answers))]
    decision, requests, _ = await decide(judge(), members)
    assert isinstance(decision, Decided)
    assert decision.answer is None
    assert requests == []


@pytest.mark.parametrize(
    "foreign",
    [
        {"phase": "merge"},
        {"scores": {"one": 9}},
        {"scores": {"0": "high"}, "judged": [0]},
        {"window": 3},
        {"panel": "0", "means": [None]},
        {"means": [9.0], "panel": [[7], [8]], "phase": "evaluate_globally", "scores": {"99": 9.0}},
    ],
)
async def test_notes_of_another_method_cost_no_more_than_a_warning(foreign: dict[str, Any]) -> None:
    asker, _, _ = judge_of(judge(overall=prefers("2")))
    members = chains("1", "1", "2")
    progress = Progress(finished=3, started=3, remaining=0, notes=foreign)
    decision = await conclude(Aor(AorConfig(), asker), PROBLEM, members, progress)
    assert isinstance(decision, Decided)
    assert decision.answer is not None
    assert decision.answer.raw == "2"
    is_readable = "99" in foreign.get("scores", {})
    expected = () if is_readable else ("the notes of an earlier phase could not be read: the chains are judged anew",)
    assert decision.warnings == expected
