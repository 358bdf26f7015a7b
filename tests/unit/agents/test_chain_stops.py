"""Every reason for which a chain can stop, and what it keeps when it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from abaci.agents.chain import pick_answer
from abaci.agents.tora import FORCED_ANSWER_TOKENS
from abaci.backend.base import FinishReason, GenerateRequest, ToolCall
from abaci.backend.scripted import ScriptedReply
from abaci.errors import BackendRejected, BackendUnavailable, SandboxError
from abaci.sandbox.scripted import ScriptedSandbox
from abaci.types import Answer, Budget, Execution, Program, Rationale, Sampling, StopReason

MakeRig = Callable[..., Any]

PROGRAM = "I compute.\n```python\nprint(6 * 7)\n```\n```output"
ANSWER = "So it is $\\boxed{42}$."
FORTY_TWO = Answer(raw="42", canonical="42")
LOOP = "Wait, let me check that again. " * 200


def always_new_program(request: GenerateRequest) -> str:
    return f"```python\nprint({len(request.prompt.text)})\n```\n```output"


def kinds(trajectory: Any) -> list[str]:
    return [step.kind for step in trajectory.steps]


# --- answer, no_code --------------------------------------------------------------------------------------------------


async def test_a_marked_answer_ends_the_chain(rig: MakeRig) -> None:
    chain = await rig([ANSWER]).run()
    assert (chain.stop_reason, chain.answer, kinds(chain)) == (StopReason.ANSWER, FORTY_TWO, ["rationale"])


async def test_a_program_its_output_and_an_answer_make_a_chain(rig: MakeRig) -> None:
    chain = await rig([PROGRAM, ANSWER]).run()
    assert (chain.stop_reason, chain.answer) == (StopReason.ANSWER, FORTY_TWO)
    assert kinds(chain) == ["rationale", "program", "output", "rationale"]


async def test_an_answer_in_words_is_marked_too(rig: MakeRig) -> None:
    chain = await rig(["The answer is 42."]).run()
    assert (chain.stop_reason, chain.answer) == (StopReason.ANSWER, FORTY_TWO)


async def test_prose_without_program_or_answer_is_no_code(rig: MakeRig) -> None:
    chain = await rig(["I do not know how to do this."]).run()
    assert (chain.stop_reason, chain.answer) == (StopReason.NO_CODE, None)


async def test_the_last_output_is_the_answer_of_a_chain_that_marks_none(rig: MakeRig) -> None:
    chain = await rig([PROGRAM, "That is it."]).run()
    assert (chain.stop_reason, chain.answer) == (StopReason.NO_CODE, FORTY_TWO)


async def test_a_model_that_says_nothing_at_all_is_no_code(rig: MakeRig) -> None:
    chain = await rig([""]).run()
    assert (chain.stop_reason, chain.answer, chain.steps) == (StopReason.NO_CODE, None, ())


# --- max_rounds -------------------------------------------------------------------------------------------------------


async def test_when_rounds_run_out_one_final_answer_is_forced(rig: MakeRig) -> None:
    made = rig([PROGRAM, PROGRAM.replace("6", "7"), "42}$."], budget=Budget(samples=1, rounds=1))
    chain = await made.run()
    assert (chain.stop_reason, chain.answer) == (StopReason.MAX_ROUNDS, FORTY_TWO)
    assert kinds(chain) == ["rationale", "program", "output", "rationale", "program", "rationale"]
    assert made.prompts[-1].text.endswith("No programs are left.\n```\n\nThe final answer is $\\boxed{")


async def test_the_forced_answer_is_asked_for_once_and_in_few_tokens(rig: MakeRig) -> None:
    made = rig(always_new_program, budget=Budget(samples=1, rounds=2))
    chain = await made.run()
    assert chain.stop_reason is StopReason.MAX_ROUNDS
    assert [request.sampling.max_tokens for request in made.backend.requests] == [1024] * 3 + [FORCED_ANSWER_TOKENS]
    assert len(made.sandbox.programs) == 2


async def test_with_no_rounds_at_all_no_program_is_run(rig: MakeRig) -> None:
    made = rig([PROGRAM, "42}$."], budget=Budget(samples=1, rounds=0))
    chain = await made.run()
    assert (chain.stop_reason, chain.answer) == (StopReason.MAX_ROUNDS, FORTY_TWO)
    assert made.sandbox.programs == []


async def test_with_no_rounds_a_plain_answer_is_still_an_answer(rig: MakeRig) -> None:
    chain = await rig([ANSWER], budget=Budget(samples=1, rounds=0)).run()
    assert chain.stop_reason is StopReason.ANSWER


async def test_a_forced_answer_in_a_conversation_withholds_the_tool(rig: MakeRig) -> None:
    calls = (ToolCall(id="c1", name="python", arguments='{"code": "1"}'),)
    made = rig(
        [ScriptedReply("", tool_calls=calls), "It is \\boxed{42}."],
        style="tool_call",
        budget=Budget(samples=1, rounds=0),
    )
    chain = await made.run()
    assert (chain.stop_reason, chain.answer) == (StopReason.MAX_ROUNDS, FORTY_TWO)
    assert made.chats[-1].tools == ()


# --- max_tokens, context_length ---------------------------------------------------------------------------------------


async def test_a_round_cut_off_by_its_token_limit_ends_the_chain(rig: MakeRig) -> None:
    chain = await rig(["x" * 500], sampling=Sampling(max_tokens=100)).run()
    assert chain.stop_reason is StopReason.MAX_TOKENS
    assert chain.steps == (Rationale(text="x" * 100),)


async def test_a_program_cut_off_by_a_limit_is_not_run(rig: MakeRig) -> None:
    made = rig(["```python\nprint(1)\nprint(2)\n```"], sampling=Sampling(max_tokens=20))
    chain = await made.run()
    assert chain.stop_reason is StopReason.MAX_TOKENS
    assert made.sandbox.programs == []


async def test_spending_the_run_s_tokens_cuts_the_stream_off(rig: MakeRig) -> None:
    made = rig(["abc " * 500], budget=Budget(samples=1, tokens=100), piece_chars=10)
    chain = await made.run()
    assert chain.stop_reason is StopReason.MAX_TOKENS
    assert chain.usage.completion_tokens == 100
    assert made.backend.aborted == 1


async def test_tool_output_spends_tokens_too(rig: MakeRig) -> None:
    made = rig([PROGRAM, ANSWER], lambda code: Execution(status="ok", stdout="7" * 400), budget=Budget(tokens=300))
    chain = await made.run()
    assert chain.stop_reason is StopReason.MAX_TOKENS
    assert len(made.backend.requests) == 1
    assert chain.usage.tool_tokens > 400


async def test_tokens_of_tool_calls_are_spent_although_they_are_not_streamed(rig: MakeRig) -> None:
    def script(request: GenerateRequest) -> ScriptedReply:
        return ScriptedReply("x" * 60, tool_calls=(ToolCall(id="c", name="python", arguments='{"code": "1"}'),))

    made = rig(script, style="tool_call", budget=Budget(samples=1, tokens=100, rounds=50))
    chain = await made.run()
    assert chain.stop_reason is StopReason.MAX_TOKENS
    assert len(made.backend.requests) == 2


async def test_a_context_that_fills_up_ends_the_chain(rig: MakeRig) -> None:
    chain = await rig(["y" * 500], context_length=200).run()
    assert chain.stop_reason is StopReason.CONTEXT_LENGTH
    assert chain.error is None


async def test_a_question_longer_than_the_context_ends_the_chain_and_says_why(rig: MakeRig) -> None:
    chain = await rig([ANSWER], context_length=20).run()
    assert chain.stop_reason is StopReason.CONTEXT_LENGTH
    assert "context holds 20" in (chain.error or "")


async def test_an_output_that_fills_the_context_ends_the_chain_with_its_steps(rig: MakeRig) -> None:
    made = rig([PROGRAM, ANSWER], lambda code: Execution(status="ok", stdout="7" * 300), context_length=200)
    chain = await made.run()
    assert chain.stop_reason is StopReason.CONTEXT_LENGTH
    assert kinds(chain) == ["rationale", "program", "output"]


async def test_a_context_that_fills_during_the_forced_answer_is_named(rig: MakeRig) -> None:
    made = rig([PROGRAM, "4" * 900], budget=Budget(samples=1, rounds=0), context_length=200)
    assert (await made.run()).stop_reason is StopReason.CONTEXT_LENGTH


async def test_a_generation_that_ends_for_lack_of_context_is_not_run(rig: MakeRig) -> None:
    made = rig([ScriptedReply("```python\nx\n```\n", reason=FinishReason.CONTEXT)])
    assert (await made.run()).stop_reason is StopReason.CONTEXT_LENGTH
    assert made.sandbox.programs == []


# --- repetition -------------------------------------------------------------------------------------------------------


async def test_a_looping_text_is_cut_off(rig: MakeRig) -> None:
    made = rig([LOOP], sampling=Sampling(max_tokens=100_000), piece_chars=4)
    chain = await made.run()
    assert chain.stop_reason is StopReason.REPETITION
    assert chain.usage.completion_tokens < 1500
    assert made.backend.aborted == 1


async def test_a_loop_s_last_number_is_no_answer(rig: MakeRig) -> None:
    chain = await rig(["Maybe 42? " * 200], sampling=Sampling(max_tokens=100_000), piece_chars=4).run()
    assert (chain.stop_reason, chain.answer) == (StopReason.REPETITION, None)


async def test_the_same_program_three_times_in_a_row_is_a_loop(rig: MakeRig) -> None:
    made = rig(lambda request: PROGRAM, budget=Budget(samples=1, rounds=10))
    chain = await made.run()
    assert chain.stop_reason is StopReason.REPETITION
    assert len(made.sandbox.programs) == 2


async def test_the_same_program_now_and_then_is_no_loop(rig: MakeRig) -> None:
    other = PROGRAM.replace("6", "8")
    chain = await rig([PROGRAM, PROGRAM, other, PROGRAM, ANSWER], budget=Budget(rounds=10)).run()
    assert chain.stop_reason is StopReason.ANSWER


# --- wall_time, cancelled ---------------------------------------------------------------------------------------------

SLOW = ScriptedReply("I was about to say something long.", latency_s=20)


async def test_the_deadline_keeps_the_steps_taken(rig: MakeRig) -> None:
    made = rig([PROGRAM, SLOW], budget=Budget(samples=1, wall_s=0.3))
    chain = await made.run()
    assert chain.stop_reason is StopReason.WALL_TIME
    assert kinds(chain) == ["rationale", "program", "output"]
    assert (made.backend.running, made.backend.aborted, made.sandbox.open_sessions) == (0, 1, 0)


async def test_the_deadline_interrupts_a_running_program(rig: MakeRig) -> None:
    async def hang(code: str) -> Execution:
        await asyncio.sleep(30)
        return Execution(status="ok")

    made = rig([PROGRAM], hang, budget=Budget(samples=1, wall_s=0.3))
    chain = await made.run()
    assert chain.stop_reason is StopReason.WALL_TIME
    assert kinds(chain) == ["rationale", "program"]
    assert made.sandbox.open_sessions == 0


async def test_the_deadline_bounds_the_wait_for_a_slot(rig: MakeRig) -> None:
    chain = await rig([ANSWER], slots=0, budget=Budget(samples=1, wall_s=0.1)).run()
    assert chain.stop_reason is StopReason.WALL_TIME


async def start_and_wait(made: Any, requests: int) -> asyncio.Task[Any]:
    task = asyncio.create_task(made.run())
    for _ in range(5000):
        if len(made.backend.requests) >= requests:
            break
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    return task


async def test_a_settled_run_cancels_its_chain_and_keeps_what_it_did(rig: MakeRig) -> None:
    made = rig([PROGRAM, SLOW])
    task = await start_and_wait(made, requests=2)
    made.runner.scope.settle()
    chain = await task
    assert chain.stop_reason is StopReason.CANCELLED
    assert kinds(chain) == ["rationale", "program", "output"]
    assert (made.backend.running, made.backend.aborted, made.sandbox.open_sessions) == (0, 1, 0)


async def test_text_streamed_before_a_cancellation_is_kept_and_paid_for(rig: MakeRig) -> None:
    made = rig([ScriptedReply("The answer is \\boxed{42}." + "." * 5000, latency_s=0.05)], piece_chars=25)
    task = asyncio.create_task(made.run())
    for _ in range(5000):
        if any(event.body.kind == "text_delta" for event in made.events):
            break
        await asyncio.sleep(0.001)
    made.runner.scope.settle()
    chain = await task
    assert chain.stop_reason is StopReason.CANCELLED
    assert chain.steps[0].text.startswith("The answer is \\boxed{42}.")
    assert chain.usage.requests == 1
    assert chain.usage.completion_tokens == len(chain.steps[0].text)
    assert chain.answer == FORTY_TWO


async def test_a_cancelled_chain_has_no_answer_that_it_did_not_mark(rig: MakeRig) -> None:
    made = rig([PROGRAM, SLOW])
    task = await start_and_wait(made, requests=2)
    made.runner.scope.settle()
    assert (await task).answer is None


@pytest.mark.parametrize("reason", [StopReason.CANCELLED, StopReason.ERROR, StopReason.WALL_TIME])
@pytest.mark.parametrize("cut", ["The answer is 4", "The answer is $\\", "The answer is $\\boxed{", "\\boxed{4"])
def test_a_sentence_that_was_interrupted_gives_no_answer(cut: str, reason: StopReason) -> None:
    assert pick_answer(f"Now I know.\n{cut}", reason) is None
    assert pick_answer(f"The answer is 42. Or\n{cut}", reason) == FORTY_TWO


async def test_a_chain_cancelled_with_its_caller_is_recorded_as_cancelled(rig: MakeRig) -> None:
    made = rig([PROGRAM, SLOW])
    task = await start_and_wait(made, requests=2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert made.events[-1].body.kind == "chain_finished"
    assert made.events[-1].body.stop_reason is StopReason.CANCELLED
    assert (made.backend.running, made.sandbox.open_sessions) == (0, 0)


async def test_a_chain_that_never_started_is_cancelled_without_a_request(rig: MakeRig) -> None:
    made = rig([ANSWER])
    made.runner.scope.settle()
    assert (await made.run()).stop_reason is StopReason.CANCELLED
    assert made.backend.requests == []


# --- error ------------------------------------------------------------------------------------------------------------


async def test_a_refused_request_is_an_error_with_its_message(rig: MakeRig) -> None:
    chain = await rig([ScriptedReply(error=BackendRejected("no such adapter"))]).run()
    assert (chain.stop_reason, chain.error) == (StopReason.ERROR, "BackendRejected: no such adapter")


async def test_a_dropped_stream_is_an_error_that_keeps_the_text_so_far(rig: MakeRig) -> None:
    chain = await rig([PROGRAM, ScriptedReply("It must be 42 then", drop_after_chars=10)], piece_chars=5).run()
    assert chain.stop_reason is StopReason.ERROR
    assert (chain.error or "").startswith(BackendUnavailable.__name__)
    assert chain.steps[-1] == Rationale(text="It must be")
    assert chain.usage.requests == 2
    assert chain.answer is None


async def test_a_broken_sandbox_is_an_error_that_the_model_never_sees(rig: MakeRig) -> None:
    def broken(code: str) -> Execution:
        raise SandboxError("the zygote is gone")

    made = rig(lambda request: PROGRAM, broken)
    chain = await made.run()
    assert (chain.stop_reason, chain.error) == (StopReason.ERROR, "SandboxError: the zygote is gone")
    assert chain.steps[-1] == Program(code="print(6 * 7)\n")
    assert len(made.backend.requests) == 1


async def test_a_busy_sandbox_is_an_error_before_the_first_request(rig: MakeRig) -> None:
    sandbox = ScriptedSandbox({}, max_sessions=0, wait_s=0.05)
    made = rig([ANSWER], sandbox=sandbox)
    chain = await made.run()
    assert chain.stop_reason is StopReason.ERROR
    assert (chain.error or "").startswith("SandboxBusy")
    assert made.backend.requests == []


async def test_a_defect_is_recorded_as_an_internal_error(rig: MakeRig) -> None:
    def defect(request: GenerateRequest) -> str:
        raise ValueError("an off-by-one")

    chain = await rig(defect).run()
    assert (chain.stop_reason, chain.error) == (StopReason.ERROR, "internal error: ValueError: an off-by-one")


async def test_a_timeout_of_the_backend_s_own_is_not_the_deadline(rig: MakeRig) -> None:
    def late(request: GenerateRequest) -> str:
        raise TimeoutError("socket")

    assert (await rig(late).run()).stop_reason is StopReason.ERROR
