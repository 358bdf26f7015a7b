"""The verdict on two answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from abaci.types import Value

Method = Literal["text", "number", "guard", "parts", "symbolic", "timeout", "unparsable"]
"""What decided.

`text`: the canonical texts are equal, or one is empty. `number`: both are plain numbers. `guard`: their form rules
equality out. `parts`: lists, tuples, intervals or sets, part by part. `symbolic`: algebra. `timeout`: algebra that ran
out of its time or memory. `unparsable`: at least one is no mathematics that could be read, and the texts differ.
"""


class Verdict(Value):
    """Whether two answers are equal, what decided, and why in one sentence; `duration_s` is wall time."""

    is_equal: bool
    method: Method
    reason: str
    duration_s: float = Field(default=0.0, ge=0.0)
