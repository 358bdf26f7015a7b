"""The tools of an agent, as configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from abaci.types import Value


class PythonToolConfig(Value):
    """The `python` tool: what one program may use, and how much of its output a model is shown."""

    kind: Literal["python"] = "python"
    timeout_s: float = Field(default=5.0, gt=0.0, le=600.0)
    memory_bytes: int = Field(default=1 << 30, ge=64 << 20)
    output_chars: int = Field(default=800, ge=100)
