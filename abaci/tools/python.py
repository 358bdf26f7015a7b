"""The `python` tool: a stateful interpreter in a sandbox session, one a chain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import JsonValue

from abaci.backend.base import ToolSpec
from abaci.sandbox.base import Limits, Sandbox, Session
from abaci.tools.base import ToolResult, ToolSession
from abaci.tools.config import PythonToolConfig
from abaci.types import Execution, ExecutionStatus

SPEC = ToolSpec(
    name="python",
    description=(
        "Run a Python program and read what it prints, and the value of its last expression. Variables, imports and "
        "functions are kept between calls. SymPy, NumPy, SciPy and mpmath are installed; there is no network."
    ),
    parameters={
        "type": "object",
        "properties": {"code": {"type": "string", "description": "The program."}},
        "required": ["code"],
    },
)


class PythonTool:
    """Runs a model's programs in `sandbox`, within `config`'s limits."""

    def __init__(self, sandbox: Sandbox, config: PythonToolConfig) -> None:
        self._sandbox = sandbox
        self._config = config

    @property
    def spec(self) -> ToolSpec:
        """Name, description and schema."""
        return SPEC

    @asynccontextmanager
    async def open(self) -> AsyncIterator[ToolSession]:
        """A fresh interpreter for one chain."""
        async with self._sandbox.session() as session:
            yield _PythonSession(session, self._config)


class _PythonSession:
    def __init__(self, session: Session, config: PythonToolConfig) -> None:
        self._session = session
        self._config = config
        self._limits = Limits(timeout_s=config.timeout_s, memory_bytes=config.memory_bytes)

    async def call(self, arguments: dict[str, JsonValue]) -> ToolResult:
        """Run `arguments["code"]`."""
        code = arguments.get("code")
        if not isinstance(code, str):
            given = truncate(", ".join(sorted(arguments)) or "nothing", self._config.output_chars)
            return ToolResult(
                text=f'The python tool takes {{"code": "…"}}, a string; it was given: {given}.', is_error=True
            )
        execution = await self._session.execute(code, self._limits)
        text = render(execution, self._config.output_chars)
        return ToolResult(text=text, execution=execution, is_error=execution.status is not ExecutionStatus.OK)


def render(execution: Execution, output_chars: int) -> str:
    """What a model is shown of an execution.

    What was printed, then the value of the last expression, then the error: partial output is kept, and the error
    always survives truncation. `Done` when there is nothing to show, as ToRA's executor says it. At most about
    `output_chars` characters of printed text, head and tail.
    """
    shown = [truncate(execution.stdout.strip("\n"), output_chars)]
    if execution.result is not None:
        shown.append(truncate(execution.result, output_chars))
    if execution.status is not ExecutionStatus.OK:
        shown.append(truncate(execution.error or f"the program ended with status {execution.status}", output_chars))
    if execution.is_session_lost:
        shown.append("(the interpreter was restarted: earlier variables and imports are gone)")
    return "\n".join(part for part in shown if part) or "Done"


def truncate(text: str, limit_chars: int) -> str:
    """`text`, or its head and tail around a note of how much is missing, when longer than `limit_chars`."""
    if len(text) <= limit_chars:
        return text
    half = limit_chars // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters omitted …\n{text[-half:]}"
