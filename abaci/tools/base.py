"""The tool contract: JSON-schema'd arguments in, a `ToolResult` out.

A tool is opened once a chain (`async with tool.open() as session`), so that it may keep state between calls.
Arguments come from a model and are hostile: `call` validates them itself, and bad arguments are a result that tells the
model what to change, never an exception. Only a broken tool raises.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from pydantic import JsonValue

from abaci.backend.base import ToolSpec
from abaci.types import Execution, Value


class ToolResult(Value):
    """What a call gave. `text` is shown to the model; `execution` is the evidence, where code ran."""

    text: str
    execution: Execution | None = None
    is_error: bool = False


class ToolSession(Protocol):
    """One chain's use of a tool."""

    async def call(self, arguments: dict[str, JsonValue]) -> ToolResult:
        """Run the tool.

        Raises:
            SandboxError: what the tool runs on is broken.
        """
        ...


class Tool(Protocol):
    """Something an agent may call."""

    @property
    def spec(self) -> ToolSpec:
        """Name, description and argument schema, as the model sees them."""
        ...

    def open(self) -> AbstractAsyncContextManager[ToolSession]:
        """A session for one chain; everything it holds is released when the context ends."""
        ...
