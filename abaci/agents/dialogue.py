"""The two ways to hold a conversation with a model that runs programs: text fences, and tool calls.

A dialogue turns JSON-safe transcripts into requests and back. It holds no state of its own: that is the transcript's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import JsonValue

from abaci.agents.fences import OUTPUT_OPENING, escape_fences, output_block, read_chunk
from abaci.agents.styles import FenceStyle, ToolCallStyle
from abaci.backend.base import Backend, ChatMessage, ChatPrompt, TextPrompt, ToolCall, ToolSpec

Transcript = dict[str, Any]
"""JSON-safe: `{"text", "token_ids"}` for text, `{"messages"}` for chat. Any: LangGraph state is untyped JSON."""

NO_PROGRAMS_LEFT = "No programs are left."


@dataclass(frozen=True, slots=True)
class Generated:
    """One finished generation call."""

    text: str
    token_ids: tuple[int, ...]
    stop: str | None
    tool_calls: tuple[ToolCall, ...]
    has_stopped: bool
    """Ended by itself or by a stop string, not by a limit."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A generation call, read: what was said, the tool arguments it asks to run, and the transcript after it."""

    prose: str
    kept: str
    """The text that stays in the chain."""
    arguments: dict[str, JsonValue] | None
    """Arguments for the `python` tool; None when it asks for nothing."""
    transcript: Transcript


class Dialogue(Protocol):
    """One style of conversation."""

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings that end a generation call."""
        ...

    def begin(self, question: str) -> Transcript:
        """The transcript that asks `question`."""
        ...

    def prompt(self, transcript: Transcript) -> TextPrompt | ChatPrompt:
        """The prompt that continues `transcript`."""
        ...

    def read(self, transcript: Transcript, generated: Generated) -> Turn:
        """What the model said, appended to `transcript`."""
        ...

    def answer_tool(self, transcript: Transcript, output: str, rounds_left: int) -> tuple[Transcript, int]:
        """`transcript` with a program's output appended, and how many tokens that added."""
        ...

    def force_answer(self, transcript: Transcript, *, has_open_program: bool) -> tuple[Transcript, str]:
        """`transcript` with the request for a final answer, and the text that belongs to the model's own words."""
        ...


class FenceDialogue:
    """The model continues a text; token ids are appended, never made anew from text that was already sent."""

    def __init__(self, style: FenceStyle, backend: Backend) -> None:
        self._style = style
        self._encode = backend.encode

    @property
    def stop(self) -> tuple[str, ...]:
        """The style's stop strings."""
        return self._style.stop

    def begin(self, question: str) -> Transcript:
        """The style's prompt with the question in it."""
        text = self._style.prompt.replace("{question}", question.strip())
        ids = self._encode(text, is_start=True)
        return {"text": text, "token_ids": None if ids is None else list(ids)}

    def prompt(self, transcript: Transcript) -> TextPrompt:
        """The whole text so far."""
        ids = transcript["token_ids"]
        return TextPrompt.model_construct(
            kind="text", text=transcript["text"], token_ids=None if ids is None else tuple(ids)
        )

    def read(self, transcript: Transcript, generated: Generated) -> Turn:
        """Appends what was generated, less a made-up output or a stop string that is no output opening."""
        text = generated.text
        if generated.stop is not None and generated.stop != OUTPUT_OPENING:
            text = text.removesuffix(generated.stop)
        chunk = read_chunk(text, has_stopped=generated.has_stopped)
        if chunk.kept == generated.text:
            ids: tuple[int, ...] | None = generated.token_ids
        else:
            ids = self._encode(chunk.kept)
        arguments: dict[str, JsonValue] | None = None if chunk.program is None else {"code": chunk.program}
        return Turn(chunk.prose, chunk.kept, arguments, self._append(transcript, chunk.kept, ids))

    def answer_tool(self, transcript: Transcript, output: str, rounds_left: int) -> tuple[Transcript, int]:
        """Appends an output block."""
        hint = self._style.rounds_left.replace("{rounds}", str(rounds_left))
        added = output_block(transcript["text"], escape_fences(output) + hint)
        ids = self._encode(added)
        return self._append(transcript, added, ids), estimate_tokens(added) if ids is None else len(ids)

    def force_answer(self, transcript: Transcript, *, has_open_program: bool) -> tuple[Transcript, str]:
        """Appends the opening of a final answer for the model to complete."""
        refusal = output_block(transcript["text"], NO_PROGRAMS_LEFT) if has_open_program else ""
        added = refusal + self._style.force_answer
        return self._append(transcript, added, self._encode(added)), self._style.force_answer

    def _append(self, transcript: Transcript, text: str, ids: tuple[int, ...] | None) -> Transcript:
        before = transcript["token_ids"]
        joined = None if before is None or ids is None else [*before, *ids]
        return {"text": transcript["text"] + text, "token_ids": joined}


class ToolCallDialogue:
    """The model is given messages and calls a tool."""

    def __init__(self, style: ToolCallStyle, tool: ToolSpec) -> None:
        self._style = style
        self._tool = tool

    @property
    def stop(self) -> tuple[str, ...]:
        """None: the server ends a turn at a tool call."""
        return ()

    def begin(self, question: str) -> Transcript:
        """A system message and the question."""
        user = self._style.user.replace("{question}", question.strip())
        return _with_messages(
            [], ChatMessage(role="system", content=self._style.system), ChatMessage(role="user", content=user)
        )

    def prompt(self, transcript: Transcript) -> ChatPrompt:
        """The whole conversation; the tool is withheld once a final answer was asked for."""
        messages = tuple(ChatMessage.model_validate(message) for message in transcript["messages"])
        return ChatPrompt(messages=messages, tools=() if transcript.get("is_forced") else (self._tool,))

    def read(self, transcript: Transcript, generated: Generated) -> Turn:
        """Appends the assistant's message; of parallel calls only the first: a session runs one program at a time."""
        calls = generated.tool_calls[:1]
        message = ChatMessage(role="assistant", content=generated.text, tool_calls=calls)
        after = _with_messages(transcript["messages"], message)
        return Turn(generated.text, generated.text, _arguments(calls[0]) if calls else None, after)

    def answer_tool(self, transcript: Transcript, output: str, rounds_left: int) -> tuple[Transcript, int]:
        """Appends the tool's reply."""
        content = output + self._style.rounds_left.replace("{rounds}", str(rounds_left))
        return self._reply(transcript, content), estimate_tokens(content)

    def force_answer(self, transcript: Transcript, *, has_open_program: bool) -> tuple[Transcript, str]:
        """Refuses the open call, if any, and asks for the answer."""
        if has_open_program:
            transcript = self._reply(transcript, NO_PROGRAMS_LEFT)
        after = _with_messages(transcript["messages"], ChatMessage(role="user", content=self._style.force_answer))
        return {**after, "is_forced": True}, ""

    def _reply(self, transcript: Transcript, content: str) -> Transcript:
        call_id = transcript["messages"][-1]["tool_calls"][0]["id"]
        return _with_messages(transcript["messages"], ChatMessage(role="tool", content=content, tool_call_id=call_id))


def make_dialogue(style: FenceStyle | ToolCallStyle, backend: Backend, tool: ToolSpec) -> Dialogue:
    """The dialogue that speaks `style`."""
    match style:
        case FenceStyle():
            return FenceDialogue(style, backend)
        case ToolCallStyle():
            return ToolCallDialogue(style, tool)


def estimate_tokens(text: str) -> int:
    """A rough token count (4 characters a token), for backends that take text and do not tokenise."""
    return -(-len(text) // 4)


def _with_messages(messages: list[JsonValue], *more: ChatMessage) -> Transcript:
    return {"messages": [*messages, *(message.model_dump(mode="json") for message in more)]}


def _arguments(call: ToolCall) -> dict[str, JsonValue]:
    """The call's arguments; what is no JSON object goes under a name that the tool refuses with an explanation."""
    try:
        parsed = json.loads(call.arguments)
        # An escaped half of a surrogate pair is JSON, but no text: neither the sandbox nor a trace could take it.
        json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return {"malformed_json": call.arguments[:1000]}
    return parsed if isinstance(parsed, dict) else {"malformed_json": call.arguments[:1000]}
