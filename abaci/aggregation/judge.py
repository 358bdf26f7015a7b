"""Judges: a backend that is asked about chains, and whose replies are hostile text until they are read."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import JsonValue

from abaci.aggregation.candidates import MAX_PROMPT_CHARS
from abaci.aggregation.config import JudgeLimits
from abaci.aggregation.prompt import Prompt
from abaci.backend.base import (
    Backend,
    ChatMessage,
    ChatPrompt,
    GenerateRequest,
    SampleFinished,
    TextPrompt,
)
from abaci.errors import BackendError, BackendUnavailable
from abaci.types import JudgeCalled, Sampling, Usage

T = TypeVar("T")

Reader = Callable[[str], Awaitable[T]]
"""Reads a judge's reply; raises `Unreadable` for one that cannot be used."""

MAX_CALLS = 16
"""Calls of one judge that run at once."""

MAX_REPLY_CHARS = 200_000
"""A judge that goes on beyond this, whatever its token limit, is cut off."""

CHARS_PER_TOKEN = 2.5
"""Of mathematical text, at the least; English prose has four."""

RULES_CHARS = 2_000
"""Room for a prompt's rules and headings."""

MIN_ROOM_CHARS = 200


class Unreadable(Exception):
    """A judge's reply cannot be used; the message says why, and is shown to the judge when it is asked again."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a judge is asked: `task` names it in the trace, `chains` are those the prompt shows."""

    task: str
    prompt: Prompt
    chains: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Reply:
    text: str = ""
    usage: Usage = field(default_factory=Usage)
    error: str | None = None
    is_final: bool = False
    """Asking again would not help."""


class Judge:
    """Asks a backend and reads its replies. Every call is recorded; none raises for what the backend does or says.

    Args:
        backend: who judges; started by the caller.
        record: takes every call as an event.
        seconds_left: wall time that the run still has; nothing is asked once it is used up.
    """

    def __init__(
        self,
        backend: Backend,
        record: Callable[[JudgeCalled], None] = lambda _: None,
        seconds_left: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self._backend = backend
        self._record = record
        self._seconds_left = seconds_left
        self._slots = asyncio.Semaphore(MAX_CALLS)

    def room_chars(self, question: str, limits: JudgeLimits) -> int:
        """How many characters of chains fit this judge's context, beside the problem's `question` and the reply."""
        context = self._backend.info.context_length
        if context is None:
            return MAX_PROMPT_CHARS
        # A short context is not given to the reply alone.
        reply_tokens = min(limits.max_tokens, context // 3)
        room = int((context - reply_tokens) * CHARS_PER_TOKEN) - RULES_CHARS - len(question)
        return max(MIN_ROOM_CHARS, min(MAX_PROMPT_CHARS, room))

    async def ask(self, question: Question, read: Reader[T], limits: JudgeLimits) -> T | None:
        """What `read` makes of the judge's reply; None when no attempt gave a reply that it can read.

        An unreadable reply is shown to the judge together with what is wrong with it. A backend that refuses is not
        asked again.
        """
        messages = question.prompt.messages
        for attempt in range(1, limits.attempts + 1):
            started = time.monotonic()
            reply = await self._call(messages, limits, attempt)
            verdict, error = None, reply.error
            if error is None:
                try:
                    verdict = await read(reply.text)
                except Unreadable as fault:
                    error = f"unreadable: {fault}"
            called = JudgeCalled(
                task=question.task,
                chains=question.chains,
                attempt=attempt,
                reply=reply.text,
                verdict=_as_json(verdict),
                error=error,
                usage=reply.usage,
                duration_s=time.monotonic() - started,
            )
            self._record(called)
            if error is None or reply.is_final:
                return verdict
            if reply.error is None:
                # Appended, so that the engine's cache holds all but this.
                messages = (*question.prompt.messages, *_correction(reply.text, error))
        return None

    async def _call(self, messages: tuple[ChatMessage, ...], limits: JudgeLimits, attempt: int) -> _Reply:
        parts: list[str] = []
        tokens = length = 0
        finished: SampleFinished | None = None
        error: str | None = None
        is_final = False
        async with self._slots:
            allowed_s = min(limits.timeout_s, self._seconds_left())
            if allowed_s <= 0:
                return _Reply(error="the run's time is used up", is_final=True)
            try:
                async with asyncio.timeout(allowed_s):
                    async with aclosing(self._backend.generate(self._request(messages, limits, attempt))) as events:
                        async for event in events:
                            if isinstance(event, SampleFinished):
                                finished = event
                            else:
                                parts.append(event.text)
                                tokens += len(event.token_ids) or 1
                                length += len(event.text)
                                if length > MAX_REPLY_CHARS:
                                    error, is_final = f"the reply is longer than {MAX_REPLY_CHARS} characters", True
                                    break
            except TimeoutError:
                error = f"no reply within {allowed_s:g} s"
            except BackendError as failure:
                error = f"{type(failure).__name__}: {failure}"
                is_final = not isinstance(failure, BackendUnavailable)
        # What was generated was paid for, also when the stream broke.
        usage = finished.usage if finished is not None else Usage(requests=1, completion_tokens=tokens)
        return _Reply("".join(parts)[:MAX_REPLY_CHARS], usage, error, is_final)

    def _request(self, messages: tuple[ChatMessage, ...], limits: JudgeLimits, attempt: int) -> GenerateRequest:
        sampling = Sampling(temperature=limits.temperature, top_p=1.0, max_tokens=limits.max_tokens, seed=attempt)
        info = self._backend.info
        if info.is_chat or info.has_chat_template:
            return GenerateRequest(prompt=ChatPrompt(messages=messages), sampling=sampling)
        # A model that continues texts reads the same words in the same order.
        text = "".join(f"{message.content}\n\n" for message in messages)
        prompt = TextPrompt(text=text, token_ids=self._backend.encode(text, is_start=True))
        return GenerateRequest(prompt=prompt, sampling=sampling)


def _correction(reply: str, error: str) -> tuple[ChatMessage, ChatMessage]:
    wanted = f"This reply cannot be used ({error}). Reply again, and end with the JSON object that was asked for."
    return ChatMessage(role="assistant", content=reply), ChatMessage(role="user", content=wanted)


def _as_json(verdict: object) -> JsonValue:
    match verdict:
        case dict():
            return {str(key): _as_json(value) for key, value in verdict.items()}
        case None | bool() | int() | float() | str():
            return verdict
        case _:
            return str(verdict)
