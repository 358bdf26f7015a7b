"""Prompt styles: how a model is asked, and how it marks its programs. Data, one TOML file a style in `prompts/`."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from abaci.errors import SettingsError
from abaci.types import Value


class FenceStyle(Value):
    """The model continues a text and writes its programs in ```` ```python ```` fences.

    `{question}` in `prompt` and `{rounds}` in `rounds_left` are replaced; nothing else is, so LaTeX braces are safe.
    """

    kind: Literal["fence"] = "fence"
    name: str
    prompt: str
    stop: tuple[str, ...] = ("```output",)
    """Strings that end a generation call. All but ```` ```output ```` are removed from the chain."""
    rounds_left: str = ""
    """Told to the model after each output; empty where the model was not trained to read it."""
    force_answer: str = "\nThe final answer is $\\boxed{"
    """Appended when no program may be run any more; the model completes it."""


class ToolCallStyle(Value):
    """The model is given a conversation and calls the `python` tool."""

    kind: Literal["tool_call"] = "tool_call"
    name: str
    system: str
    user: str = "{question}"
    rounds_left: str = ""
    force_answer: str = "No programs are left. Give the final answer now, in \\boxed{}."


PromptStyle = Annotated[FenceStyle | ToolCallStyle, Field(discriminator="kind")]

_ADAPTER: TypeAdapter[FenceStyle | ToolCallStyle] = TypeAdapter(PromptStyle)


def style_names() -> tuple[str, ...]:
    """The names of the shipped styles, sorted."""
    entries = files(__package__).joinpath("prompts").iterdir()
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml")))


@cache
def load_style(name: str) -> FenceStyle | ToolCallStyle:
    """The shipped style `name`.

    Raises:
        SettingsError: there is no such style; the message lists those there are.
    """
    if name not in style_names():
        raise SettingsError(f"no prompt style {name!r}: choose one of {', '.join(style_names())}")
    text = files(__package__).joinpath("prompts", f"{name}.toml").read_text(encoding="utf-8")
    return _ADAPTER.validate_python({"name": name, **tomllib.loads(text)})


def choose_style(model: str, *, is_chat: bool) -> str:
    """The style that fits a model's name: chat and tool-call servers first, then the families that have a style."""
    if is_chat:
        return "tool_call"
    lowered = model.lower()
    if "tora" in lowered:
        return "tora"
    if "qwen" in lowered and "math" in lowered:
        return "qwen_math_tir"
    if lowered.rstrip("/").endswith("nano"):
        return "nano"
    return "few_shot"
