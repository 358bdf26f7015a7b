"""A backend without a model, the shipped test double: says what a script says, and keeps every promise of the contract.

Its tokenizer is exact and readable in a test's failure: a token a character, and the token's id is the code point.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from abaci.backend.base import (
    BackendInfo,
    FinishReason,
    GenerateEvent,
    GenerateRequest,
    SampleFinished,
    TextPrompt,
    TokenDelta,
    ToolCall,
)
from abaci.backend.config import ScriptedConfig
from abaci.backend.stops import find_stop
from abaci.errors import BackendError, BackendRejected, BackendUnavailable, ContextLengthExceeded
from abaci.types import Usage

START_TOKEN_ID = 0x110000
"""The script's leading special token: the first integer that is no code point."""

LOGPROB_PER_TOKEN = -0.25
"""What every scripted token is said to have been worth, as a natural logarithm."""


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """One sample as the script wants it.

    `error` is raised instead of any delta. `drop_after_chars` breaks the stream (`BackendUnavailable`) once that many
    characters were sent. `latency_s` overrides the backend's. `reason` holds unless a stop string or a limit ends the
    text first; with `tool_calls` it becomes `tool_calls`.
    """

    text: str = ""
    reason: FinishReason = FinishReason.STOP
    tool_calls: tuple[ToolCall, ...] = ()
    error: BackendError | None = None
    drop_after_chars: int | None = None
    latency_s: float | None = None


Script = Callable[[GenerateRequest], str | ScriptedReply]


@dataclass(frozen=True, slots=True)
class _Sample:
    """A reply after stop strings and limits: what is really sent."""

    text: str
    finished: SampleFinished
    latency_s: float
    drop_after_chars: int | None


class ScriptedBackend:
    """Says what `replies` says.

    Args:
        replies: texts or `ScriptedReply`s handed out in order, one a sample (`BackendRejected` when they run out), or a
            callable asked once a sample.
        is_chat: whether it is to be given `ChatPrompt`s; `encode` then gives None, as chat servers do.
        context_length: in tokens (characters); None: no limit.
        latency_s: seconds before each delta; at 0 nothing ever waits.
        piece_chars: characters a delta; None: the whole text in one.

    `requests` records every request; `running` and `aborted` count requests in progress and requests left early.
    """

    def __init__(
        self,
        replies: Sequence[str | ScriptedReply] | Script,
        *,
        is_chat: bool = False,
        context_length: int | None = None,
        latency_s: float = 0.0,
        piece_chars: int | None = None,
    ) -> None:
        self._script = replies if callable(replies) else _in_order(replies)
        self._info = BackendInfo(name="scripted", model="script", context_length=context_length, is_chat=is_chat)
        self._latency_s = latency_s
        self._piece_chars = piece_chars
        self._closed = asyncio.Event()
        self.requests: list[GenerateRequest] = []
        self.running = 0
        self.aborted = 0

    @classmethod
    def from_config(cls, config: ScriptedConfig) -> Self:
        """The configured script; it starts over after its last reply, since a server has no last request."""
        endless = itertools.cycle(config.replies)
        return cls(
            lambda _request: next(endless),
            is_chat=config.is_chat,
            context_length=config.context_length,
            latency_s=config.latency_s,
        )

    @property
    def info(self) -> BackendInfo:
        """What this backend is; valid at any time."""
        return self._info

    def encode(self, text: str, *, is_start: bool = False) -> tuple[int, ...] | None:
        """One id a character, `START_TOKEN_ID` first when `is_start`; None for a chat script."""
        if self._info.is_chat:
            return None
        ids = tuple(map(ord, text))
        return (START_TOKEN_ID, *ids) if is_start else ids

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of `token_ids`; the start token has none."""
        return "".join(chr(token_id) for token_id in token_ids if token_id != START_TOKEN_ID)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[GenerateEvent, None]:
        """Stream the next `request.n` replies, piece by piece in turns. See `Backend.generate`."""
        self.requests.append(request)
        self.running += 1
        is_over = False
        try:
            samples = [self._sample(request, index) for index in range(request.n)]
            streams = [self._deltas(request, sample) for sample in samples]
            for turn in itertools.zip_longest(*streams):
                for sample, delta in zip(samples, turn, strict=True):
                    if delta is not None:
                        await self._wait(sample.latency_s)
                        yield delta
            for sample in samples:
                await self._wait(0.0 if sample.text else sample.latency_s)
                if sample.drop_after_chars is not None:
                    raise BackendUnavailable("the script dropped the stream")
                yield sample.finished
            is_over = True
        except BackendError:
            is_over = True
            raise
        finally:
            self.running -= 1
            self.aborted += not is_over

    def _sample(self, request: GenerateRequest, index: int) -> _Sample:
        """Ask the script for a reply and apply the request's limits to it."""
        prompt_tokens = self._prompt_tokens(request)
        context_length = self._info.context_length
        room = None if context_length is None else context_length - prompt_tokens
        if room is not None and context_length is not None and room < 1:
            raise ContextLengthExceeded(prompt_tokens, context_length)
        reply = self._script(request)
        if isinstance(reply, str):
            reply = ScriptedReply(reply)
        if reply.error is not None:
            raise reply.error
        text, reason, stop = _cut(reply, request, room)
        finished = SampleFinished(
            sample=index,
            reason=reason,
            stop=stop,
            tool_calls=reply.tool_calls if reason is FinishReason.TOOL_CALLS else (),
            usage=Usage(requests=1, prompt_tokens=prompt_tokens, completion_tokens=len(text)),
        )
        drop = reply.drop_after_chars
        return _Sample(
            text=text if drop is None else text[:drop],
            finished=finished,
            latency_s=self._latency_s if reply.latency_s is None else reply.latency_s,
            drop_after_chars=drop,
        )

    def _deltas(self, request: GenerateRequest, sample: _Sample) -> Iterator[TokenDelta]:
        """The sample's text in pieces."""
        text = sample.text
        size = self._piece_chars or max(len(text), 1)
        for start in range(0, len(text), size):
            piece = text[start : start + size]
            yield TokenDelta(
                sample=sample.finished.sample,
                text=piece,
                token_ids=() if self._info.is_chat else tuple(map(ord, piece)),
                logprob_sum=LOGPROB_PER_TOKEN * len(piece) if request.is_logprobs_wanted else None,
            )

    def _prompt_tokens(self, request: GenerateRequest) -> int:
        """Tokens of the prompt: the given ids where there are some, else one a character."""
        prompt = request.prompt
        if isinstance(prompt, TextPrompt):
            return len(prompt.text) if prompt.token_ids is None else len(prompt.token_ids)
        return sum(
            len(message.content) + sum(len(call.arguments) for call in message.tool_calls)
            for message in prompt.messages
        )

    async def _wait(self, latency_s: float) -> None:
        """Let `latency_s` pass, or less when the backend is closed meanwhile, which ends the request."""
        if latency_s > 0.0 and not self._closed.is_set():
            try:
                async with asyncio.timeout(latency_s):
                    await self._closed.wait()
            except TimeoutError:
                return
        if self._closed.is_set():
            raise BackendUnavailable("the scripted backend was closed: open it again with `async with`")

    async def __aenter__(self) -> Self:
        """Open; there is nothing to load."""
        self._closed.clear()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close: requests in progress end with `BackendUnavailable`."""
        self._closed.set()


def _in_order(replies: Sequence[str | ScriptedReply]) -> Script:
    """A script that hands out `replies` one after the other and refuses when there are no more."""
    remaining = iter(replies)

    def script(_request: GenerateRequest) -> str | ScriptedReply:
        for reply in remaining:
            return reply
        raise BackendRejected(f"the script has only {len(replies)} replies: give it one for every sample asked for")

    return script


def _cut(reply: ScriptedReply, request: GenerateRequest, room: int | None) -> tuple[str, FinishReason, str | None]:
    """The reply's text up to its first stop string or limit, and how it ended."""
    max_tokens = request.sampling.max_tokens
    limit = max_tokens if room is None else min(max_tokens, room)
    found = find_stop(reply.text, request.stop)
    if found is not None and found.end <= limit:
        return reply.text[: found.end], FinishReason.STOP, found.stop
    if len(reply.text) > limit:
        return reply.text[:limit], FinishReason.LENGTH if limit == max_tokens else FinishReason.CONTEXT, None
    return reply.text, FinishReason.TOOL_CALLS if reply.tool_calls else reply.reason, None
