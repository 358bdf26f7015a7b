"""Messages and tools as the JSON that OpenAI-compatible servers and chat templates both read."""

from __future__ import annotations

from typing import Any

from abaci.backend.base import ChatMessage, ToolSpec


def message_json(message: ChatMessage) -> dict[str, Any]:
    """One message."""
    entry: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        entry["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        entry["tool_call_id"] = message.tool_call_id
    return entry


def tool_json(tool: ToolSpec) -> dict[str, Any]:
    """One tool."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}
