"""The two ways to talk with a model that runs programs."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abaci.agents.dialogue import (
    NO_PROGRAMS_LEFT,
    FenceDialogue,
    Generated,
    ToolCallDialogue,
    estimate_tokens,
    make_dialogue,
)
from abaci.agents.styles import FenceStyle, ToolCallStyle, load_style
from abaci.backend.base import ToolCall
from abaci.backend.scripted import ScriptedBackend
from abaci.tools.python import SPEC

# Examples are judged by what they show, not by how long a busy machine takes.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

BACKEND = ScriptedBackend([])
FENCE = FenceStyle(name="f", prompt="Q: {question}\nA:", stop=("```output", "\n---"), rounds_left="\n({rounds} left)")
CHAT = ToolCallStyle(name="c", system="Be exact.", rounds_left=" ({rounds} left)")
WITH_PROGRAM = "Go.\n```python\nx = 1\n```\n```output"


def said(text: str, *calls: ToolCall, stop: str | None = None) -> Generated:
    return Generated(text, tuple(map(ord, text)), stop, calls, has_stopped=True)


def call(arguments: str, name: str = "python", call_id: str = "call_1") -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments=arguments)


def fence() -> FenceDialogue:
    return FenceDialogue(FENCE, BACKEND)


def chat() -> ToolCallDialogue:
    return ToolCallDialogue(CHAT, SPEC)


def test_the_style_decides_on_the_dialogue() -> None:
    assert isinstance(make_dialogue(load_style("tora"), BACKEND, SPEC), FenceDialogue)
    assert isinstance(make_dialogue(load_style("tool_call"), BACKEND, SPEC), ToolCallDialogue)


# --- text fences ------------------------------------------------------------------------------------------------------


def test_a_fence_prompt_holds_the_question_and_its_tokens() -> None:
    prompt = fence().prompt(fence().begin("  What? \n"))
    assert prompt.text == "Q: What?\nA:"
    assert prompt.token_ids == BACKEND.encode("Q: What?\nA:", is_start=True)


def test_generated_tokens_are_appended_as_they_came() -> None:
    dialogue = fence()
    begun = dialogue.begin("What?")
    odd_ids = (900_001, 900_002)
    turn = dialogue.read(begun, Generated("42", odd_ids, None, (), has_stopped=True))
    assert tuple(dialogue.prompt(turn.transcript).token_ids or ())[-2:] == odd_ids


def test_tokens_and_text_agree_after_every_kind_of_turn() -> None:
    dialogue = fence()
    transcript = dialogue.begin("What?")
    for text, stop in [(WITH_PROGRAM, "```output"), ("```python\nopen", None), ("done\n---", "\n---")]:
        transcript = dialogue.read(transcript, said(text, stop=stop)).transcript
        transcript, _ = dialogue.answer_tool(transcript, "4 ``` 2", 3)
        prompt = dialogue.prompt(transcript)
        assert BACKEND.decode(prompt.token_ids or ()) == prompt.text
    transcript, _ = dialogue.force_answer(transcript, has_open_program=True)
    prompt = dialogue.prompt(transcript)
    assert BACKEND.decode(prompt.token_ids or ()) == prompt.text


def test_a_stop_string_that_opens_no_output_leaves_the_chain() -> None:
    turn = fence().read(fence().begin("What?"), said("It is 42.\n---", stop="\n---"))
    assert turn.kept == "It is 42."


def test_the_output_opening_stays_and_is_completed_by_the_output() -> None:
    dialogue = fence()
    turn = dialogue.read(dialogue.begin("What?"), said(WITH_PROGRAM, stop="```output"))
    transcript, _ = dialogue.answer_tool(turn.transcript, "1", 2)
    assert transcript["text"].endswith("```\n```output\n1\n(2 left)\n```\n")


def test_the_cost_of_an_output_is_its_tokens() -> None:
    dialogue = fence()
    before = dialogue.read(dialogue.begin("What?"), said(WITH_PROGRAM, stop="```output")).transcript
    after, tokens = dialogue.answer_tool(before, "12345", 2)
    assert tokens == len(after["text"]) - len(before["text"])


def test_a_backend_without_a_tokenizer_gets_text_alone() -> None:
    dialogue = FenceDialogue(FENCE, ScriptedBackend([], is_chat=True))
    turn = dialogue.read(dialogue.begin("What?"), said(WITH_PROGRAM, stop="```output"))
    transcript, tokens = dialogue.answer_tool(turn.transcript, "1", 2)
    assert dialogue.prompt(transcript).token_ids is None
    assert tokens == estimate_tokens("\n1\n(2 left)\n```\n")


def test_a_forced_answer_refuses_the_open_program_and_opens_a_box() -> None:
    dialogue = fence()
    turn = dialogue.read(dialogue.begin("What?"), said(WITH_PROGRAM, stop="```output"))
    transcript, opening = dialogue.force_answer(turn.transcript, has_open_program=True)
    assert transcript["text"].endswith(f"```output\n{NO_PROGRAMS_LEFT}\n```\n{opening}")
    assert opening.endswith("\\boxed{")


def test_an_invented_output_stays_out_of_the_chain() -> None:
    turn = fence().read(fence().begin("What?"), said("```python\nx\n```\n```text\n3\n```\n"))
    assert turn.kept == "```python\nx\n```\n"
    assert turn.arguments == {"code": "x\n"}


# --- tool calls -------------------------------------------------------------------------------------------------------


def test_a_conversation_begins_with_system_and_question() -> None:
    prompt = chat().prompt(chat().begin("What?"))
    assert [(message.role, message.content) for message in prompt.messages] == [
        ("system", "Be exact."),
        ("user", "What?"),
    ]
    assert prompt.tools == (SPEC,)


def test_a_call_and_its_reply_make_a_valid_conversation() -> None:
    dialogue = chat()
    turn = dialogue.read(dialogue.begin("What?"), said("I compute.", call('{"code": "x = 1"}')))
    assert turn.arguments == {"code": "x = 1"}
    transcript, _ = dialogue.answer_tool(turn.transcript, "Done", 3)
    assistant, reply = dialogue.prompt(transcript).messages[-2:]
    assert assistant.tool_calls[0].id == reply.tool_call_id
    assert (reply.role, reply.content) == ("tool", "Done (3 left)")


def test_of_parallel_calls_one_is_kept_so_that_every_call_has_its_reply() -> None:
    dialogue = chat()
    calls = (call('{"code": "a"}', call_id="1"), call('{"code": "b"}', call_id="2"))
    turn = dialogue.read(dialogue.begin("What?"), said("", *calls))
    assert turn.arguments == {"code": "a"}
    assert dialogue.prompt(turn.transcript).messages[-1].tool_calls == calls[:1]


@pytest.mark.parametrize(
    "arguments", ["", "{", '{"code": ', "[]", '"x"', "null", "1e999", "[" * 100_000, '{"code": "\\ud800"}', "9" * 9999]
)
def test_malformed_arguments_are_data_for_the_tool_to_refuse(arguments: str) -> None:
    turn = chat().read(chat().begin("What?"), said("", call(arguments)))
    assert turn.arguments == {"malformed_json": arguments[:1000]}


def test_a_forced_answer_refuses_the_open_call_and_withholds_the_tool() -> None:
    dialogue = chat()
    turn = dialogue.read(dialogue.begin("What?"), said("", call('{"code": "a"}')))
    transcript, opening = dialogue.force_answer(turn.transcript, has_open_program=True)
    prompt = dialogue.prompt(transcript)
    assert [message.role for message in prompt.messages] == ["system", "user", "assistant", "tool", "user"]
    assert prompt.messages[3].content == NO_PROGRAMS_LEFT
    assert prompt.tools == ()
    assert opening == ""


def test_no_dialogue_changes_the_transcript_it_was_given() -> None:
    for dialogue, generated in ((fence(), said(WITH_PROGRAM)), (chat(), said("", call('{"code": "a"}')))):
        begun = dialogue.begin("What?")
        snapshot = json.dumps(begun)
        turn = dialogue.read(begun, generated)
        read = json.dumps(turn.transcript)
        dialogue.answer_tool(turn.transcript, "1", 1)
        dialogue.force_answer(turn.transcript, has_open_program=True)
        assert (json.dumps(begun), json.dumps(turn.transcript)) == (snapshot, read)


@given(st.text(max_size=200))
@patient
def test_any_tool_arguments_can_be_read(arguments: str) -> None:
    turn = chat().read(chat().begin("What?"), said("", call(arguments)))
    assert isinstance(turn.arguments, dict)
