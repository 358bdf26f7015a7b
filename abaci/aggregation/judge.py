"""Judges: a backend that is asked about chains, and whose replies are hostile text until they are read."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from hashlib import sha256
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
    JsonSchema,
    SampleFinished,
    TextPrompt,
    TokenDelta,
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
class ReplyForm:
    """What a reply is, as JSON schemas: first `reasoned`, then `bare`: reasons without an end leave no verdict."""

    reasoned: JsonSchema
    bare: JsonSchema


@dataclass(frozen=True, slots=True)
class Question:
    """What a judge is asked: `task` names it in the trace, `chains` are those the prompt shows.

    Where there is a `form`, the backend is asked to hold the reply to it. Not all can, so the reply is read as ever.
    """

    task: str
    prompt: Prompt
    chains: tuple[int, ...] = ()
    form: ReplyForm | None = None


@dataclass(slots=True)
class _Call:
    """One call, and what has come of it so far."""

    messages: tuple[ChatMessage, ...]
    attempt: int
    requests: int = 0
    parts: list[str] = field(default_factory=list)
    tokens: int = 0
    length: int = 0
    finished: SampleFinished | None = None
    error: str | None = None
    is_whole: bool = False
    """The reply came to its end."""
    is_final: bool = False
    """Asking again would not help."""
    started: float = field(default_factory=time.monotonic)

    def add(self, delta: TokenDelta) -> int:
        """Keep a piece of the reply; gives the characters so far."""
        self.parts.append(delta.text)
        self.tokens += len(delta.token_ids) or 1
        self.length += len(delta.text)
        return self.length

    def take_whole(self, text: str) -> None:
        """Take the reply of an earlier call."""
        self.parts.append(text)
        self.is_whole = True

    @property
    def text(self) -> str:
        return "".join(self.parts)[:MAX_REPLY_CHARS]

    @property
    def digest(self) -> str:
        """SHA-256 of the messages, in hex."""
        return sha256(json.dumps([message.model_dump() for message in self.messages]).encode()).hexdigest()

    def as_event(self, question: Question, verdict: object) -> JudgeCalled:
        counted = Usage(requests=self.requests, completion_tokens=self.tokens)
        return JudgeCalled(
            task=question.task,
            chains=question.chains,
            attempt=self.attempt,
            reply=self.text,
            verdict=_as_json(verdict),
            error=self.error,
            prompt_sha256=self.digest if self.is_whole else None,
            # Where the stream broke, only what was generated is known.
            usage=counted if self.finished is None else self.finished.usage,
            duration_s=time.monotonic() - self.started,
        )


class Judge:
    """Asks a backend and reads its replies. Every call is recorded; none raises for what the backend does or says.

    Args:
        backend: who judges; started by the caller.
        record: takes every call as an event.
        seconds_left: wall time that the run still has; nothing is asked once it is used up.
        answered: calls recorded before the run broke off. Each reply serves once where the same is asked again; it is
            not recorded a second time.
    """

    def __init__(
        self,
        backend: Backend,
        record: Callable[[JudgeCalled], None] = lambda _: None,
        seconds_left: Callable[[], float] = lambda: math.inf,
        answered: Iterable[JudgeCalled] = (),
    ) -> None:
        self._backend = backend
        self._record = record
        self._seconds_left = seconds_left
        self._slots = asyncio.Semaphore(MAX_CALLS)
        self._answered: defaultdict[str | None, deque[str]] = defaultdict(deque)
        for call in answered:
            self._answered[call.prompt_sha256].append(call.reply)

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
            call = _Call(messages, attempt)
            answered = self._answered[call.digest]
            is_new = not answered
            verdict: T | None = None
            try:
                if is_new:
                    await self._listen(call, question.form, limits)
                else:
                    call.take_whole(answered.popleft())
                if call.is_whole:
                    verdict = await read(call.text)
            except Unreadable as fault:
                call.error = f"unreadable: {fault}"
            except BaseException as failure:
                call.error = f"broken off: {type(failure).__name__}"
                raise
            finally:
                # Also when the run is cancelled: what was generated was paid for.
                if is_new and (call.requests or call.is_final):
                    self._record(call.as_event(question, verdict))
            if call.error is None or call.is_final:
                return verdict
            if call.is_whole:
                # Appended, so that the engine's cache holds all but this.
                messages = (*question.prompt.messages, *_correction(call.text, call.error))
        return None

    async def _listen(self, call: _Call, form: ReplyForm | None, limits: JudgeLimits) -> None:
        """Ask, and keep in `call` what comes of it. Raises nothing that the backend does."""
        async with self._slots:
            allowed_s = min(limits.timeout_s, self._seconds_left())
            if allowed_s <= 0:
                call.error, call.is_final = "the run's time is used up", True
                return
            call.requests = 1
            try:
                request = self._request(call, form, limits)
                async with asyncio.timeout(allowed_s), aclosing(self._backend.generate(request)) as events:
                    async for event in events:
                        if isinstance(event, SampleFinished):
                            call.finished = event
                        elif call.add(event) > MAX_REPLY_CHARS:
                            call.error = f"the reply is longer than {MAX_REPLY_CHARS} characters"
                            call.is_final = True
                            return
                call.is_whole = True
            except TimeoutError:
                call.error = f"no reply within {allowed_s:g} s"
            except BackendError as failure:
                call.error = f"{type(failure).__name__}: {failure}"
                call.is_final = not isinstance(failure, BackendUnavailable)

    def _request(self, call: _Call, form: ReplyForm | None, limits: JudgeLimits) -> GenerateRequest:
        schema = None if form is None else form.reasoned if call.attempt == 1 else form.bare
        sampling = Sampling(temperature=limits.temperature, top_p=1.0, max_tokens=limits.max_tokens, seed=call.attempt)
        info = self._backend.info
        if info.is_chat or info.has_chat_template:
            return GenerateRequest(prompt=ChatPrompt(messages=call.messages), sampling=sampling, json_schema=schema)
        # A model that continues texts reads the same words in the same order.
        text = "".join(f"{message.content}\n\n" for message in call.messages)
        prompt = TextPrompt(text=text, token_ids=self._backend.encode(text, is_start=True))
        return GenerateRequest(prompt=prompt, sampling=sampling, json_schema=schema)


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
