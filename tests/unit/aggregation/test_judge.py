"""Judges: what is asked, how replies are read, and what becomes of those that cannot be."""

from __future__ import annotations

import asyncio

import pytest
from judges import asked, judge_of
from made_chains import chain, chains

from abaci.aggregation.candidates import MAX_PROMPT_CHARS, distinct, quote
from abaci.aggregation.config import JudgeLimits
from abaci.aggregation.judge import MAX_CALLS, MAX_REPLY_CHARS, Judge, Question, Unreadable
from abaci.aggregation.prompt import Prompt, make_prompt
from abaci.aggregation.replies import MAX_READ_CHARS, ChoiceReader, ScoreReader
from abaci.backend.base import TextPrompt
from abaci.backend.scripted import START_TOKEN_ID, ScriptedBackend, ScriptedReply
from abaci.errors import BackendRejected, BackendUnavailable
from abaci.types import JudgeCalled

QUESTION = Question("selection", Prompt(rules="Rules.", user="Which?"), (0, 1))
LIMITS = JudgeLimits(attempts=3)


async def test_a_readable_reply_is_one_call_and_one_event() -> None:
    judge, backend, calls = judge_of(lambda _: 'So be it. {"choice": 2}')
    assert await judge.ask(QUESTION, ChoiceReader(2), LIMITS) == 2
    assert len(backend.requests) == 1
    (call,) = calls
    assert (call.task, call.chains, call.verdict, call.error) == ("selection", (0, 1), 2, None)
    assert call.usage.completion_tokens == len(call.reply)


async def test_an_unreadable_reply_is_shown_to_the_judge_with_what_is_wrong() -> None:
    replies = iter(["I cannot say.", '{"choice": 1}'])
    judge, backend, calls = judge_of(lambda _: next(replies))
    assert await judge.ask(QUESTION, ChoiceReader(2), LIMITS) == 1
    first, second = map(asked, backend.requests)
    # The engine's cache holds all of the first prompt.
    assert second.startswith(first)
    assert "I cannot say." in second
    assert "no choice from 1 to 2" in second
    assert [(call.attempt, call.error is None) for call in calls] == [(1, False), (2, True)]


async def test_a_judge_that_stays_unreadable_is_given_up() -> None:
    judge, backend, calls = judge_of(lambda _: "Hm.")
    assert await judge.ask(QUESTION, ChoiceReader(2), LIMITS) is None
    assert len(backend.requests) == len(calls) == 3


@pytest.mark.parametrize(("error", "attempts"), [(BackendRejected("no"), 1), (BackendUnavailable("down"), 3)])
async def test_a_judge_that_fails_costs_no_exception(
    error: BackendRejected | BackendUnavailable, attempts: int
) -> None:
    judge, backend, calls = judge_of(lambda _: ScriptedReply(error=error))
    assert await judge.ask(QUESTION, ChoiceReader(2), LIMITS) is None
    assert len(backend.requests) == attempts
    assert str(error) in (calls[0].error or "")


async def test_a_judge_that_is_not_running_costs_no_exception() -> None:
    class Stopped(ScriptedBackend):
        def encode(self, text: str, *, is_start: bool = False) -> tuple[int, ...] | None:
            raise BackendUnavailable("not running")

    calls: list[JudgeCalled] = []
    assert await Judge(Stopped(["x"]), calls.append).ask(QUESTION, ChoiceReader(2), LIMITS) is None
    assert {call.error for call in calls} == {"BackendUnavailable: not running"}


async def test_a_slow_judge_is_aborted_and_what_it_wrote_is_paid_for() -> None:
    judge, backend, calls = judge_of(lambda _: "abc", latency_s=30.0)
    assert await judge.ask(QUESTION, ChoiceReader(2), JudgeLimits(attempts=1, timeout_s=0.01)) is None
    assert (backend.running, backend.aborted) == (0, 1)
    assert calls[0].usage.requests == 1


async def test_a_judge_that_never_ends_is_cut_off() -> None:
    judge, backend, calls = judge_of(lambda _: "x" * (MAX_REPLY_CHARS + 5000))
    limits = JudgeLimits(max_tokens=10 * MAX_REPLY_CHARS)
    assert await judge.ask(QUESTION, ChoiceReader(2), limits) is None
    assert backend.running == 0
    assert [len(call.reply) for call in calls] == [MAX_REPLY_CHARS]
    assert "longer than" in (calls[0].error or "")


async def test_nothing_is_asked_when_the_run_has_no_time_left() -> None:
    backend = ScriptedBackend(["x"], is_chat=True)
    assert await Judge(backend, seconds_left=lambda: -1.0).ask(QUESTION, ChoiceReader(2), LIMITS) is None
    assert backend.requests == []


async def test_cancelling_the_caller_aborts_the_request() -> None:
    is_asked = asyncio.Event()

    def script(_: object) -> str:
        is_asked.set()
        return "abc"

    judge, backend, _ = judge_of(script, latency_s=30.0)
    task = asyncio.ensure_future(judge.ask(QUESTION, ChoiceReader(2), LIMITS))
    await is_asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (backend.running, backend.aborted) == (0, 1)


async def test_a_call_that_is_cancelled_is_recorded_with_what_it_wrote() -> None:
    judge, _, calls = judge_of(lambda _: "abcdef", piece_chars=2, latency_s=0.1)
    task = asyncio.ensure_future(judge.ask(QUESTION, ChoiceReader(2), LIMITS))
    await asyncio.sleep(0.25)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (call,) = calls
    assert (call.usage.requests, call.usage.completion_tokens) == (1, len(call.reply) // 2)
    assert call.reply
    assert (call.error, call.prompt_sha256) == ("broken off: CancelledError", None)


async def test_a_call_that_was_never_made_is_not_recorded_when_it_is_cancelled() -> None:
    judge, backend, calls = judge_of(lambda _: "abc", latency_s=30.0)
    asking = [asyncio.ensure_future(judge.ask(QUESTION, ChoiceReader(2), LIMITS)) for _ in range(MAX_CALLS + 3)]
    for _ in range(100):
        await asyncio.sleep(0)
    for task in asking:
        task.cancel()
    await asyncio.wait(asking, timeout=10)
    assert len(calls) == len(backend.requests) == MAX_CALLS


async def test_replies_of_before_serve_once_each_and_are_not_recorded_again() -> None:
    replies = iter(["I cannot say.", '{"choice": 1}', '{"choice": 2}'])
    first, _, before = judge_of(lambda _: next(replies))
    assert await first.ask(QUESTION, ChoiceReader(2), LIMITS) == 1
    backend = ScriptedBackend(lambda _: next(replies), is_chat=True)
    after: list[JudgeCalled] = []
    judge = Judge(backend, after.append, answered=before)
    assert await judge.ask(QUESTION, ChoiceReader(2), LIMITS) == 1
    assert (backend.requests, after) == ([], [])
    assert await judge.ask(QUESTION, ChoiceReader(2), LIMITS) == 2
    assert len(backend.requests) == len(after) == 1


async def test_a_reply_of_before_answers_no_other_question() -> None:
    first, _, before = judge_of(lambda _: '{"choice": 1}')
    await first.ask(QUESTION, ChoiceReader(2), LIMITS)
    backend = ScriptedBackend(lambda _: '{"choice": 2}', is_chat=True)
    other = Question(QUESTION.task, Prompt(rules="Rules.", user="Which, then?"), QUESTION.chains)
    assert await Judge(backend, answered=before).ask(other, ChoiceReader(2), LIMITS) == 2


async def test_no_more_than_a_number_of_calls_run_at_once() -> None:
    judge, backend, _ = judge_of(lambda _: "abc", latency_s=30.0)
    asking = [asyncio.ensure_future(judge.ask(QUESTION, ChoiceReader(2), LIMITS)) for _ in range(3 * MAX_CALLS)]
    # Turns of the event loop, not time: every call that may start has started by then.
    for _ in range(100):
        await asyncio.sleep(0)
    assert backend.running == MAX_CALLS
    for task in asking:
        task.cancel()
    await asyncio.wait(asking, timeout=10)
    assert backend.running == 0


async def test_a_model_that_continues_texts_is_given_text_and_tokens() -> None:
    backend = ScriptedBackend(['{"choice": 1}'])
    assert await Judge(backend).ask(QUESTION, ChoiceReader(2), LIMITS) == 1
    prompt = backend.requests[0].prompt
    assert isinstance(prompt, TextPrompt)
    assert prompt.text == "Rules.\n\nWhich?\n\n"
    assert prompt.token_ids is not None
    assert prompt.token_ids[0] == START_TOKEN_ID


@pytest.mark.parametrize(
    ("reply", "scores"),
    [
        ('{"scores": {"1": 7, "2": 4.5}}', {"1": 7.0, "2": 4.5}),
        ('First {"scores": {"1": 1, "2": 1}}, no: {"scores": {"1": 2, "2": 3}}', {"1": 2.0, "2": 3.0}),
        ('{"verdict": {"scores": {"1": 0, "2": 10}}}', {"1": 0.0, "2": 10.0}),
        ('```json\n{"scores": {"1": 6, "2": 5, "3": 9}}\n```', {"1": 6.0, "2": 5.0}),
    ],
)
async def test_scores_are_read_wherever_they_stand(reply: str, scores: dict[str, float]) -> None:
    assert await ScoreReader(["1", "2"])(reply) == scores


@pytest.mark.parametrize("points", ["11", "-1", "true", '"7"', "null", "NaN", "1e999", "[7]"])
async def test_each_score_is_valid_by_itself(points: str) -> None:
    reader = ScoreReader(["1", "2"])
    with pytest.raises(Unreadable, match="for 2"):
        await reader(f'{{"scores": {{"1": 7, "2": {points}}}}}')
    assert reader.scores == {"1": 7.0}
    # The next reply need only hold what was missing.
    assert await reader('{"scores": {"2": 3}}') == {"1": 7.0, "2": 3.0}


@pytest.mark.parametrize("reply", ["", "{", '{"choice": 0}', '{"choice": 4}', '{"choice": 1.0}', '{"choice": "-1"}'])
async def test_a_choice_is_a_label_that_was_shown(reply: str) -> None:
    with pytest.raises(Unreadable):
        await ChoiceReader(3)(reply)


async def test_the_last_valid_choice_counts() -> None:
    assert await ChoiceReader(3)('{"choice": 1} or rather {"choice": "3"}, not {"choice": 9}') == 3


async def test_the_end_of_a_long_reply_is_read() -> None:
    assert await ChoiceReader(3)('{"choice": 1}' + "{" * MAX_READ_CHARS + '{"choice": 2}') == 2
    with pytest.raises(Unreadable):
        await ChoiceReader(3)('{"choice": 1}' + "{" * MAX_READ_CHARS)


def test_what_a_question_says_is_never_filled_in_again() -> None:
    prompt = make_prompt("universal", question="{chains} {x}", chains="CHAINS", labels="response 1")
    assert "Question:\n{chains} {x}\n" in prompt.user
    assert prompt.user.count("CHAINS") == 1


def test_a_text_is_shown_once_and_cut_in_the_middle() -> None:
    twins = [chain(3, "1", "same"), chain(1, "1", "same"), chain(2, "1", "other")]
    assert [member.chain for member in distinct(twins)] == [1, 2]
    long = quote([chain(index, "1", f"{index}" + "x" * 20_000 + "end") for index in range(40)], "Chain")
    assert len(long) < MAX_PROMPT_CHARS * 1.2
    assert long.count("characters left out") == long.count("end\nAnswer: 1") == 40


def test_chains_are_labelled_from_one() -> None:
    text = quote(chains("5", "6"), "Option")
    assert text == "### Option 1\nWay 0 leads to 5.\nAnswer: 5\n\n### Option 2\nWay 1 leads to 6.\nAnswer: 6"
