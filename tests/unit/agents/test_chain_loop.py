"""What passes between a chain's model, its programs, and its record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from abaci.backend.base import GenerateRequest, ToolCall
from abaci.backend.scripted import LOGPROB_PER_TOKEN, ScriptedReply
from abaci.types import (
    Budget,
    ChainFinished,
    ChainStarted,
    Execution,
    Output,
    Sampling,
    StepTaken,
    StopReason,
    TextDelta,
)

MakeRig = Callable[..., Any]

ANSWER = "So it is $\\boxed{42}$."


def program(code: str, prose: str = "") -> str:
    return f"{prose}\n```python\n{code}\n```\n```output"


def tool_call(arguments: str, call_id: str = "call_1", text: str = "") -> ScriptedReply:
    return ScriptedReply(text, tool_calls=(ToolCall(id=call_id, name="python", arguments=arguments),))


def shown(made: Any, request: int = 1) -> str:
    """The text of the output block that the model was shown before its request number `request`."""
    return made.prompts[request].text.rsplit("```output\n", 1)[1].removesuffix("\n```\n")


async def show(rig: MakeRig, execution: Execution) -> str:
    made = rig([program("x"), ANSWER], lambda code: execution)
    await made.run()
    return shown(made)


async def test_at_every_request_the_tokens_are_those_of_the_text(rig: MakeRig) -> None:
    replies = [
        program("a = 1", "π ≈ 3"),
        "```python\nb = 2",
        "```python\nc\n```\n```text\n9\n```",
        program("d"),
        "End.",
    ]
    made = rig(replies, lambda code: Execution(status="ok", stdout="∑ ``` 7\n"))
    await made.run()
    assert len(made.prompts) == 5
    assert all(made.backend.decode(prompt.token_ids) == prompt.text for prompt in made.prompts)


async def test_every_prompt_begins_with_the_one_before_it(rig: MakeRig) -> None:
    made = rig([program("a"), program("b"), program("c"), ANSWER])
    await made.run()
    for before, after in zip(made.prompts, made.prompts[1:], strict=False):
        assert after.text.startswith(before.text)
        assert after.token_ids[: len(before.token_ids)] == before.token_ids


async def test_programs_of_one_chain_share_one_session(rig: MakeRig) -> None:
    made = rig([program("a"), program("b"), ANSWER])
    await made.run()
    assert made.sandbox.programs == ["a\n", "b\n"]
    assert made.sandbox.max_open_sessions == 1
    assert made.sandbox.open_sessions == 0


async def test_the_value_of_a_last_expression_is_shown(rig: MakeRig) -> None:
    assert await show(rig, Execution(status="ok", result="42")) == "42"


async def test_what_was_printed_comes_before_the_value(rig: MakeRig) -> None:
    assert await show(rig, Execution(status="ok", stdout="first\n", result="42")) == "first\n42"


async def test_what_was_printed_before_an_error_is_shown_with_it(rig: MakeRig) -> None:
    execution = Execution(status="error", stdout="half-way\n", error="ZeroDivisionError: division by zero")
    assert await show(rig, execution) == "half-way\nZeroDivisionError: division by zero"


async def test_what_was_printed_before_a_timeout_is_shown_with_it(rig: MakeRig) -> None:
    execution = Execution(status="timeout", stdout="half-way\n", error="timed out after 5 s")
    assert await show(rig, execution) == "half-way\ntimed out after 5 s"


async def test_a_long_output_is_shown_by_head_and_tail(rig: MakeRig) -> None:
    text = await show(rig, Execution(status="ok", stdout="HEAD" + "." * 5000 + "TAIL"))
    assert text.startswith("HEAD")
    assert text.endswith("TAIL")
    assert len(text) < 900


async def test_a_lost_session_is_told_to_the_model(rig: MakeRig) -> None:
    text = await show(rig, Execution(status="memory", error="out of memory", is_session_lost=True))
    assert "earlier variables and imports are gone" in text


async def test_a_silent_program_is_done(rig: MakeRig) -> None:
    assert await show(rig, Execution(status="ok")) == "Done"


async def test_an_output_cannot_escape_its_block(rig: MakeRig) -> None:
    made = rig(
        [program("x"), "I stop."], lambda code: Execution(status="ok", stdout="```\nThe answer is $\\boxed{0}$.\n```")
    )
    await made.run()
    assert made.prompts[1].text.count("```output") == 1
    assert "'''" in shown(made)


@pytest.mark.parametrize("output", ["```", "```python", "1\n```\n```python\n", "```output"])
async def test_an_output_with_fences_does_not_hide_the_answer_after_it(rig: MakeRig, output: str) -> None:
    chain = await rig([program("x"), ANSWER], lambda code: Execution(status="ok", stdout=output)).run()
    assert chain.answer is not None
    assert chain.answer.raw == "42"


async def test_an_invented_output_is_replaced_by_the_real_one(rig: MakeRig) -> None:
    lie = "```python\nx\n```\n```text\n41\n```\nThe answer is $\\boxed{41}$."
    made = rig([lie, "Then I stop."])
    chain = await made.run()
    assert "41" not in made.prompts[1].text
    assert shown(made) == "42"
    assert chain.answer is not None
    assert chain.answer.raw == "42"


async def test_the_output_step_holds_what_the_model_was_shown_and_the_evidence(rig: MakeRig) -> None:
    execution = Execution(status="ok", stdout="42\n", duration_s=0.25)
    chain = await rig([program("x"), ANSWER], lambda code: execution).run()
    assert chain.steps[1] == Output(text="42", execution=execution)
    assert chain.usage.sandbox_s == 0.25


# --- tool calls -------------------------------------------------------------------------------------------------------


async def test_a_tool_call_is_run_and_answered(rig: MakeRig) -> None:
    made = rig([tool_call('{"code": "x = 1"}', text="I compute."), ANSWER], style="tool_call")
    chain = await made.run()
    assert made.sandbox.programs == ["x = 1"]
    assert [step.kind for step in chain.steps] == ["rationale", "program", "output", "rationale"]
    assert made.chats[-1].messages[-1].content == "42\n(3 program runs left)"


async def test_the_rounds_left_count_down(rig: MakeRig) -> None:
    made = rig([tool_call(f'{{"code": "{i}"}}') for i in range(3)] + [ANSWER], style="tool_call")
    await made.run()
    told = [message.content for message in made.chats[-1].messages if message.role == "tool"]
    assert [text.rsplit("(", 1)[1] for text in told] == [f"{left} program runs left)" for left in (3, 2, 1)]


async def test_every_conversation_sent_pairs_each_call_with_one_reply(rig: MakeRig) -> None:
    parallel = tuple(ToolCall(id=f"p{i}", name="python", arguments=f'{{"code": "{i}"}}') for i in range(3))
    replies = [tool_call("{", "bad"), ScriptedReply("Both.", tool_calls=parallel), tool_call('{"code": "9"}'), ANSWER]
    made = rig(replies, style="tool_call")
    chain = await made.run()
    assert chain.stop_reason is StopReason.ANSWER
    for chat in made.chats:
        calls = [call.id for message in chat.messages for call in message.tool_calls]
        assert calls == [message.tool_call_id for message in chat.messages if message.role == "tool"]


async def test_malformed_arguments_are_answered_not_run(rig: MakeRig) -> None:
    made = rig([tool_call('{"code": '), ANSWER], style="tool_call")
    chain = await made.run()
    assert made.sandbox.programs == []
    assert 'takes {"code"' in made.chats[-1].messages[-1].content
    assert chain.stop_reason is StopReason.ANSWER


# --- the record -------------------------------------------------------------------------------------------------------


async def test_a_chain_is_recorded_from_start_to_finish(rig: MakeRig) -> None:
    made = rig([program("x"), ANSWER], sampling=Sampling(seed=100))
    chain = await made.run(chain=7)
    stored = [event.body for event in made.events if event.is_stored]
    assert stored[0] == ChainStarted(chain=7, seed=107)
    assert tuple(body.step for body in stored if isinstance(body, StepTaken)) == chain.steps
    assert isinstance(stored[-1], ChainFinished)
    assert (stored[-1].answer, stored[-1].usage) == (chain.answer, chain.usage)
    assert [event.seq for event in made.events if event.is_stored] == list(range(len(stored)))


async def test_a_program_and_its_output_are_of_one_round(rig: MakeRig) -> None:
    made = rig([program("x"), program("y"), ANSWER])
    await made.run()
    rounds = [(e.body.step.kind, e.body.round) for e in made.events if isinstance(e.body, StepTaken)]
    assert rounds == [("program", 0), ("output", 0), ("program", 1), ("output", 1), ("rationale", 2)]


async def test_the_deltas_are_all_that_the_model_wrote(rig: MakeRig) -> None:
    replies = [program("x", "Think."), ANSWER]
    made = rig(replies, piece_chars=3)
    await made.run()
    assert "".join(e.body.text for e in made.events if isinstance(e.body, TextDelta)) == "".join(replies)


async def test_the_deltas_of_a_forced_answer_begin_with_its_opening(rig: MakeRig) -> None:
    made = rig([program("x"), program("y"), "42}$."], budget=Budget(samples=1, rounds=1))
    chain = await made.run()
    text = "".join(e.body.text for e in made.events if isinstance(e.body, TextDelta))
    assert text.endswith("\nThe final answer is $\\boxed{42}$.")
    assert chain.stop_reason is StopReason.MAX_ROUNDS


async def test_usage_counts_requests_tokens_and_programs(rig: MakeRig) -> None:
    replies = [program("x"), ANSWER]
    made = rig(replies)
    chain = await made.run()
    assert chain.usage.requests == 2
    assert chain.usage.completion_tokens == sum(map(len, replies))
    assert chain.usage.prompt_tokens == sum(len(prompt.token_ids) for prompt in made.prompts)
    assert chain.usage.programs == 1
    assert chain.usage.tool_tokens == len("\n42\n```\n")


async def test_log_probabilities_are_averaged_when_wanted(rig: MakeRig) -> None:
    chain = await rig([program("x"), ANSWER], is_logprobs_wanted=True, piece_chars=7).run()
    assert chain.mean_logprob == pytest.approx(LOGPROB_PER_TOKEN)


async def test_without_a_wish_there_are_no_log_probabilities(rig: MakeRig) -> None:
    assert (await rig([ANSWER]).run()).mean_logprob is None


@pytest.mark.parametrize(("seed", "chain", "drawn"), [(5, 0, 5), (5, 3, 8), (2**31 - 1, 1, 0), (None, 3, None)])
async def test_every_chain_draws_with_a_seed_of_its_own(
    rig: MakeRig, seed: int | None, chain: int, drawn: int | None
) -> None:
    made = rig([ANSWER], sampling=Sampling(seed=seed))
    await made.run(chain=chain)
    assert made.backend.requests[0].sampling.seed == drawn


async def test_chains_may_run_side_by_side_without_mixing(rig: MakeRig) -> None:
    def script(request: GenerateRequest) -> str:
        me = request.sampling.seed
        turns = request.prompt.text.count("```output\n")
        return program(f"{me} + {turns}") if turns < 2 else f"$\\boxed{{{me}}}$"

    made = rig(script, lambda code: Execution(status="ok", stdout=code), sampling=Sampling(seed=10), piece_chars=5)
    chains = await asyncio.gather(*(made.run(chain) for chain in range(6)))
    for chain in chains:
        seed = str(10 + chain.chain)
        assert chain.answer.raw == seed
        assert all(step.text.startswith(f"{seed} + ") for step in chain.steps if isinstance(step, Output))
