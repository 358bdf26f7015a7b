"""Universal self-consistency and GenSelect: one chain is chosen by a judge."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from judges import answer_in, asked, judge_of, shown
from made_chains import chain, chains

from abaci.aggregation.base import Progress
from abaci.aggregation.config import GenSelectConfig, UniversalConfig
from abaci.aggregation.genselect import GenSelect
from abaci.aggregation.universal import Universal
from abaci.backend.base import GenerateRequest
from abaci.types import Decided, JudgeCalled, Problem, Trajectory


async def universal(script: Any, members: list[Trajectory], **config: Any) -> tuple[Decided, list[JudgeCalled]]:
    asker, _, calls = judge_of(script)
    progress = Progress(finished=len(members), started=len(members), remaining=0)
    return await Universal(UniversalConfig(**config), asker).decide(Problem(question="?"), members, progress), calls


async def genselect(script: Any, members: list[Trajectory], **config: Any) -> tuple[Decided, list[JudgeCalled]]:
    asker, _, calls = judge_of(script)
    progress = Progress(finished=len(members), started=len(members), remaining=0)
    return await GenSelect(GenSelectConfig(**config), asker).decide(Problem(question="?"), members, progress), calls


def chooses(answer: str) -> Callable[[GenerateRequest], str]:
    """A judge that takes a candidate with this answer where there is one."""

    def script(request: GenerateRequest) -> str:
        found = [label for label, text in shown(request).items() if answer_in(text) == answer]
        return json.dumps({"choice": int((found or ["1"])[0])})

    return script


async def test_the_response_that_the_judge_names_wins() -> None:
    decided, calls = await universal(lambda _: '{"choice": 3}', chains("1", "1", "2"))
    assert decided.answer is not None
    assert decided.answer.raw == "2"
    assert decided.explanation == "Way 2 leads to 2."
    assert decided.buckets[0].chains == (2,)
    assert len(calls) == 1


async def test_only_the_first_responses_with_an_answer_are_shown() -> None:
    _, calls = await universal(lambda _: '{"choice": 1}', chains(None, *"12345"), limit=4)
    assert calls[0].chains == (1, 2, 3, 4)


async def test_equal_responses_are_shown_in_lowest_terms() -> None:
    members = [chain(index, text, text) for index, text in enumerate("112112112112")]
    _, calls = await universal(lambda _: '{"choice": 1}', members)
    assert [members[index].answer.raw for index in calls[0].chains if members[index].answer] == ["1", "2", "1"]


async def test_a_response_that_was_not_shown_leaves_it_to_the_majority() -> None:
    decided, calls = await universal(lambda _: '{"choice": 4}', chains("2", "1", "1"))
    assert decided.answer is not None
    assert decided.answer.raw == "1"
    assert decided.warnings
    assert len(calls) == 3


async def test_the_best_candidate_wins_against_the_majority() -> None:
    decided, calls = await genselect(chooses("2"), chains(*"1111112"))
    assert decided.answer is not None
    assert decided.answer.raw == "2"
    assert decided.reason == "3 of 3 selections by the judge"
    assert len(calls) == 3


async def test_each_selection_sees_its_own_order_and_the_same_one_next_time() -> None:
    _, once = await genselect(chooses("2"), chains(*"1112"), selections=6)
    _, again = await genselect(chooses("2"), chains(*"1112"), selections=6)
    _, otherwise = await genselect(chooses("2"), chains(*"1112"), selections=6, seed=1)
    orders = [call.chains for call in once]
    assert len(set(orders)) > 1
    assert orders == [call.chains for call in again] != [call.chains for call in otherwise]


async def test_more_candidates_than_a_window_meet_in_a_tournament() -> None:
    decided, calls = await genselect(chooses("9"), chains(*"12345678123456789"), selections=1, window=4)
    assert decided.answer is not None
    assert decided.answer.raw == "9"
    assert max(len(call.chains) for call in calls) <= 4
    assert {chain for call in calls for chain in call.chains} >= {16}


async def test_a_window_of_one_answer_needs_no_judge() -> None:
    _, calls = await genselect(chooses("2"), chains(*"1111111112"), selections=1, window=2)
    assert all(len({"1" if chain < 9 else "2" for chain in call.chains}) == 2 for call in calls)


async def test_the_same_text_is_one_candidate() -> None:
    members = [chain(0, "1", "a"), chain(1, "1", "a"), chain(2, "2", "b")]
    _, calls = await genselect(chooses("2"), members, selections=1)
    assert sorted(calls[0].chains) == [0, 2]


async def test_without_a_choice_the_votes_decide_and_a_warning_says_so() -> None:
    decided, _ = await genselect(lambda _: "Hm.", chains("2", "1", "1"), selections=8)
    assert decided.answer is not None
    assert decided.answer.raw == "1"
    assert decided.warnings == ("8 judge calls gave no choice: the votes decided there",)
    assert decided.reason == "the most votes, since no judge call gave a choice"


async def test_the_majority_of_the_selections_decides() -> None:
    replies = iter(["2", "1", "2"])
    decided, _ = await genselect(lambda request: chooses(next(replies))(request), chains(*"112"))
    assert decided.answer is not None
    assert decided.answer.raw == "2"
    assert decided.reason == "2 of 3 selections by the judge"


async def test_the_prompt_holds_the_rules_first_and_the_question_before_the_candidates() -> None:
    asker, backend, _ = judge_of(chooses("2"))
    members = chains(*"12")
    await GenSelect(GenSelectConfig(selections=1), asker).decide(
        Problem(question="How far?"), members, Progress(finished=2, started=2, remaining=0)
    )
    text = asked(backend.requests[0])
    assert text.index("Find the one") < text.index("How far?") < text.index("### Solution 1")


async def test_a_judge_whose_backend_can_is_asked_for_json_of_exactly_this_form() -> None:
    members = chains("1", "1", "2")
    for method, config in ((Universal, UniversalConfig()), (GenSelect, GenSelectConfig(selections=1))):
        asker, backend, _ = judge_of(['{"reasons": "It is all so very', '{"choice": 1}'])
        progress = Progress(finished=3, started=3, remaining=0)
        decided = await method(config, asker).decide(Problem(question="?"), members, progress)  # type: ignore[arg-type]
        assert decided.warnings == ()
        choice = {"choice": {"type": "integer", "enum": [1, 2, 3]}}
        # Reasons that had no end are not asked for again.
        assert [request.json_schema for request in backend.requests] == [
            exactly({"reasons": {"type": "string"}, **choice}),
            exactly(choice),
        ]


def exactly(properties: dict[str, object]) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
