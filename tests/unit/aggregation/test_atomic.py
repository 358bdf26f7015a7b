"""Atomic self-consistency: the text that chains share, and the answer that it must box."""

from __future__ import annotations

from typing import Any

import pytest
from judges import answer_in, asked, by_content, judge_of, scores
from made_chains import chain

from abaci.aggregation.aor import Aor
from abaci.aggregation.atomic import Atomic
from abaci.aggregation.base import Aggregator, Progress, conclude
from abaci.aggregation.config import AorConfig, AtomicConfig, SelfConsistencyConfig
from abaci.aggregation.embedding import TfidfEmbedder
from abaci.aggregation.self_consistency import SelfConsistency
from abaci.backend.base import GenerateRequest
from abaci.types import Decided, Problem, StopReason, Trajectory

WINNERS = [
    chain(0, "12", "The box holds 3 rows of 4 eggs. Multiply the rows by the eggs. I like eggs."),
    chain(1, "12", "The box holds just 3 rows of 4 eggs. Multiply rows by eggs in a row."),
    chain(2, "12", "The box holds 3 rows of 4 eggs. Rows times eggs was never my favourite."),
]
LOSER = chain(3, "7", "Add the rows to the eggs. There are 3 rows of 4 eggs in this box.")


async def decide(
    script: Any, members: list[Trajectory], kind: Any = "answer", **config: Any
) -> tuple[Decided, list[GenerateRequest]]:
    asker, backend, _ = judge_of(script)
    inner = SelfConsistency(SelfConsistencyConfig())
    aggregator: Aggregator = Atomic(AtomicConfig(**config), inner, asker, TfidfEmbedder())
    progress = Progress(finished=len(members), started=len(members), remaining=0)
    decided = await conclude(aggregator, Problem(question="How many eggs?", kind=kind), members, progress)
    assert isinstance(decided, Decided)
    return decided, backend.requests


async def test_what_the_winners_share_is_merged_and_nothing_else() -> None:
    decided, requests = await decide(lambda _: "3 rows of 4 make $\\boxed{12}$.", [*WINNERS, LOSER])
    assert decided.answer is not None
    assert decided.answer.raw == "12"
    assert decided.explanation == "3 rows of 4 make $\\boxed{12}$."
    prompt = asked(requests[0])
    assert prompt.count("3 rows of 4 eggs") == 1
    assert "Multiply" in prompt
    assert "Answer: 12" in prompt
    for alone in ("I like eggs", "favourite", "Add the rows"):
        assert alone not in prompt


@pytest.mark.parametrize("reply", ["It is $\\boxed{13}$.", "It is 12.", ""])
async def test_a_text_that_does_not_box_the_voted_answer_is_refused(reply: str) -> None:
    decided, requests = await decide(lambda _: reply, WINNERS)
    assert decided.answer is not None
    assert decided.answer.raw == "12"
    assert decided.explanation.startswith("The box holds")
    assert decided.warnings == ("no merged explanation boxed the answer: one chain explains it",)
    assert len(requests) == 3


async def test_chains_that_share_nothing_keep_the_explanation_of_one() -> None:
    members = [chain(0, "12", "Count the eggs in the box."), chain(1, "12", "A gross is much more than that.")]
    decided, requests = await decide(by_content, members)
    assert decided.explanation == "Count the eggs in the box."
    assert requests == []


async def test_twins_are_one_sample() -> None:
    twins = [chain(index, "12", "Nobody else says this sentence.") for index in range(2)]
    others = [chain(2, "12", "Something quite different is here."), chain(3, "12", "And a third thing follows it.")]
    _, requests = await decide(by_content, [*twins, *others])
    assert requests == []


async def test_a_higher_support_keeps_less() -> None:
    _, requests = await decide(lambda _: "$\\boxed{12}$", WINNERS, min_support=3)
    assert "3 rows of 4 eggs" in asked(requests[0])
    assert "Multiply" not in asked(requests[0])


async def test_a_long_form_answer_is_merged_from_all_chains() -> None:
    members = [chain.model_copy(update={"answer": None}) for chain in [*WINNERS, LOSER]]
    decided, requests = await decide(lambda _: "The box holds eggs, in rows.", members, "long_form")
    assert decided.answer is not None
    assert decided.answer.raw == decided.explanation == "The box holds eggs, in rows."
    assert 0 < decided.confidence <= 1
    assert "How many eggs?" in asked(requests[0])
    assert "Answer:" not in asked(requests[0])


async def test_a_long_form_answer_that_cannot_be_merged_is_listed() -> None:
    decided, _ = await decide(lambda _: " ", WINNERS, "long_form")
    assert decided.answer is not None
    assert decided.answer.raw.startswith("- ")
    assert decided.warnings == ("the statements could not be merged: they are listed",)


async def test_a_long_form_answer_with_a_number_of_its_own_is_asked_for_again_and_then_listed() -> None:
    replies = iter(["1. There are 3 rows of 5 eggs.", "1. There are 3 rows of four eggs.\n2. Multiply."])
    decided, requests = await decide(lambda _: next(replies), WINNERS, "long_form")
    assert decided.explanation.endswith("Multiply.")
    assert "no fact has the numbers 5" in str(requests[1].prompt)
    decided, _ = await decide(lambda _: "There are 5 rows.", WINNERS, "long_form")
    assert decided.warnings == ("the statements could not be merged: they are listed",)


async def test_the_only_chain_of_a_long_form_problem_is_enough() -> None:
    decided, requests = await decide(lambda _: "Eggs in rows.", WINNERS[:1], "long_form")
    assert decided.answer is not None
    assert decided.answer.raw == "Eggs in rows."
    assert "3 rows of 4 eggs" in asked(requests[0])


async def test_a_long_form_problem_whose_chains_all_failed_has_no_answer() -> None:
    failed = [member.model_copy(update={"stop_reason": StopReason.ERROR}) for member in WINNERS]
    decided, requests = await decide(by_content, failed, "long_form")
    assert (decided.answer, decided.confidence, requests) == (None, 0.0, [])


async def test_a_long_form_problem_whose_chains_share_nothing_has_no_answer() -> None:
    members = [chain(0, None, "One thing is said here."), chain(1, None, "Quite another matter over there.")]
    broken = chain(2, None, "One thing is said here.", stop_reason=StopReason.ERROR)
    decided, requests = await decide(by_content, [*members, broken], "long_form")
    assert decided.answer is None
    assert decided.reason == "2 chains share no statement"
    assert requests == []


async def test_aor_decides_and_atomic_explains() -> None:
    def script(request: GenerateRequest) -> str:
        if "Write the solution." in asked(request):
            return "So $\\boxed{12}$."
        return scores(request, lambda text: 9 if answer_in(text) == "12" else 7)

    asker, _, calls = judge_of(script)
    aggregator = Atomic(AtomicConfig(answer=AorConfig()), Aor(AorConfig(), asker), asker, TfidfEmbedder())
    members = [*WINNERS, LOSER]
    decided = await conclude(
        aggregator, Problem(question="How many?"), members, Progress(finished=4, started=4, remaining=0)
    )
    assert isinstance(decided, Decided)
    assert decided.answer is not None
    assert decided.answer.raw == "12"
    assert decided.explanation == "So $\\boxed{12}$."
    tasks = [call.task for call in calls]
    assert tasks == ["local scoring"] * 2 + ["global evaluation"] * 3 + ["merge"]
