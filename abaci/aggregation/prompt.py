"""What judges are told: data, one TOML file a task."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files

from abaci.backend.base import ChatMessage
from abaci.types import Value

_SLOT = re.compile(r"\{(\w+)\}")


class Prompt(Value):
    """A judge's prompt: its rules, the same for every question, then what is asked, the longest-lived part first."""

    rules: str
    user: str

    @property
    def messages(self) -> tuple[ChatMessage, ...]:
        """The prompt as a conversation: one message, since not every chat template has room for rules apart."""
        return (ChatMessage(role="user", content=f"{self.rules}\n\n{self.user}"),)


def make_prompt(name: str, **values: str) -> Prompt:
    """The prompt `name`, its slots `{…}` filled with `values`. What they hold is text: it is not filled again."""
    template = _load(name)
    return template.model_copy(update={"user": _SLOT.sub(lambda slot: values[slot[1]], template.user)})


@cache
def _load(name: str) -> Prompt:
    text = files(__package__).joinpath("prompts", f"{name}.toml").read_text(encoding="utf-8")
    return Prompt.model_validate(tomllib.loads(text))
