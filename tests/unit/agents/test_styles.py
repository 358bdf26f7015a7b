"""The prompt styles that are shipped, and how one is chosen."""

from __future__ import annotations

import pytest

from abaci.agents.dialogue import make_dialogue
from abaci.agents.fences import OUTPUT_OPENING
from abaci.agents.styles import FenceStyle, ToolCallStyle, choose_style, load_style, style_names
from abaci.backend.scripted import ScriptedBackend
from abaci.errors import SettingsError
from abaci.tools.python import SPEC

NASTY = "Let $f(x) = \\frac{x}{2}$ and {question} = {rounds}; is {f} {0} %s $question \\1?"


def test_the_styles_of_the_plan_are_shipped() -> None:
    assert {"few_shot", "qwen_math_tir", "tool_call", "tora"} <= set(style_names())


@pytest.mark.parametrize("name", style_names())
def test_every_shipped_style_loads_and_has_its_own_name(name: str) -> None:
    assert load_style(name).name == name


@pytest.mark.parametrize("name", style_names())
def test_every_style_asks_the_question_exactly_once(name: str) -> None:
    style = load_style(name)
    text = style.prompt if isinstance(style, FenceStyle) else style.user
    assert text.count("{question}") == 1


@pytest.mark.parametrize("name", style_names())
def test_braces_and_placeholders_within_a_question_survive(name: str) -> None:
    style = load_style(name)
    backend = ScriptedBackend([], is_chat=isinstance(style, ToolCallStyle))
    dialogue = make_dialogue(style, backend, SPEC)
    prompt = dialogue.prompt(dialogue.begin(NASTY))
    text = prompt.text if prompt.kind == "text" else prompt.messages[-1].content
    assert NASTY in text


@pytest.mark.parametrize("name", style_names())
def test_every_fence_style_stops_where_an_output_opens(name: str) -> None:
    style = load_style(name)
    assert isinstance(style, ToolCallStyle) or OUTPUT_OPENING in style.stop


@pytest.mark.parametrize("name", style_names())
def test_every_forced_answer_asks_for_a_box(name: str) -> None:
    style = load_style(name)
    assert "\\boxed{" in style.force_answer
    assert isinstance(style, ToolCallStyle) or style.force_answer.endswith("\\boxed{")


@pytest.mark.parametrize("name", style_names())
def test_no_prompt_ends_with_a_stop_string_of_its_own(name: str) -> None:
    style = load_style(name)
    assert isinstance(style, ToolCallStyle) or not any(style.prompt.rstrip().endswith(stop) for stop in style.stop)


@pytest.mark.parametrize("name", ["gpt", "", "../styles", "tora.toml", "TORA"])
def test_an_unknown_style_is_refused_with_the_list_of_those_there_are(name: str) -> None:
    with pytest.raises(SettingsError, match=r"few_shot.*qwen_math_tir.*tool_call.*tora"):
        load_style(name)


@pytest.mark.parametrize(
    ("model", "is_chat", "style"),
    [
        ("llm-agents/tora-code-34b-v1.0", False, "tora"),
        ("Qwen/Qwen2.5-Math-1.5B-Instruct", False, "qwen_math_tir"),
        ("Qwen/Qwen2.5-Math-1.5B-Instruct", True, "tool_call"),
        ("EleutherAI/llemma_7b", False, "few_shot"),
        ("Qwen/Qwen2.5-7B", False, "few_shot"),
        ("", False, "few_shot"),
    ],
)
def test_the_style_fits_the_model(model: str, is_chat: bool, style: str) -> None:
    assert choose_style(model, is_chat=is_chat) == style
