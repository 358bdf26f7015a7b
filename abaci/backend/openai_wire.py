"""The OpenAI protocol without the network: what is asked, and how the streamed answer becomes samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from abaci.backend.base import (
    ChatPrompt,
    FinishReason,
    GenerateRequest,
    SampleFinished,
    TokenDelta,
    ToolCall,
)
from abaci.backend.chat_json import message_json, tool_json
from abaci.errors import BackendError, BackendRejected, BackendUnavailable
from abaci.types import Usage


@dataclass(slots=True)
class Dialect:
    """What this server understands; learnt from its refusals, so that each is met once."""

    has_many_samples: bool = True
    """It accepts `n` above 1."""
    has_stream_usage: bool = True
    """It accepts `stream_options`."""
    token_limit: str = "max_tokens"
    """The name of the limit: newer models of OpenAI insist on `max_completion_tokens`."""
    has_stop_in_text: bool = False
    """It can be told to leave the stop string in the text, as vLLM's server can."""
    has_json_schema: bool = True
    """It holds a reply to a JSON schema."""


def request_body(request: GenerateRequest, model: str, dialect: Dialect, max_tokens: int) -> dict[str, Any]:
    """The arguments of `create` for `request`, streamed."""
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "stream": True,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        dialect.token_limit: max_tokens,
    }
    if isinstance(request.prompt, ChatPrompt):
        body["messages"] = [message_json(message) for message in request.prompt.messages]
        if request.prompt.tools:
            body["tools"] = [tool_json(tool) for tool in request.prompt.tools]
        if request.is_logprobs_wanted:
            body["logprobs"] = True
    else:
        body["prompt"] = request.prompt.text
        if request.is_logprobs_wanted:
            body["logprobs"] = 1
    if request.n > 1:
        body["n"] = request.n
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if dialect.has_stream_usage:
        body["stream_options"] = {"include_usage": True}
    beyond: dict[str, Any] = {}
    stops = [stop for stop in request.stop if stop]
    if stops:
        body["stop"] = stops
        if dialect.has_stop_in_text:
            beyond["include_stop_str_in_output"] = True
    if request.json_schema is not None and dialect.has_json_schema:
        form = {"name": "reply", "schema": request.json_schema, "strict": True}
        # The protocol has it for chats only; vLLM's server also takes it with texts.
        where = body if isinstance(request.prompt, ChatPrompt) else beyond
        where["response_format"] = {"type": "json_schema", "json_schema": form}
    if beyond:
        body["extra_body"] = beyond
    return body


@dataclass(slots=True)
class _CallParts:
    """A tool call as it is streamed: the id and name once, the arguments in pieces."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class _Sample:
    text: str = ""
    deltas: int = 0
    reason: str | None = None
    stop: str | None = None
    calls: dict[int, _CallParts] = field(default_factory=dict)


class Answer:
    """The samples of one streamed answer.

    Args:
        stops: the stop strings asked for.
        n: samples asked for.
        base_url: of the server, for messages.
    """

    def __init__(self, stops: Sequence[str], n: int, base_url: str) -> None:
        self._stops = stops
        self._samples = [_Sample() for _ in range(n)]
        self._base_url = base_url
        self._usage: Any = None

    def missing(self) -> int:
        """How many samples at the end of the list the server did not even begin: some ignore `n`."""
        begun = [index for index, sample in enumerate(self._samples) if sample.deltas or sample.reason is not None]
        return len(self._samples) - 1 - max(begun, default=-1)

    def add(self, chunk: Any) -> Iterator[TokenDelta]:
        """The deltas in one chunk of the stream, which is the `openai` package's model of either kind."""
        self._usage = getattr(chunk, "usage", None) or self._usage
        for choice in chunk.choices or ():
            if not 0 <= choice.index < len(self._samples):
                continue
            sample = self._samples[choice.index]
            delta = getattr(choice, "delta", None)
            text = (choice.text if delta is None else delta.content) or ""
            if delta is not None:
                _add_calls(sample, delta.tool_calls or ())
            if choice.finish_reason is not None:
                sample.reason = choice.finish_reason
                text += self._cut_stop(sample, text, choice)
            if text or (delta is not None and delta.tool_calls):
                sample.deltas += 1
            if text:
                sample.text += text
                yield TokenDelta(sample=choice.index, text=text, logprob_sum=_logprob_sum(choice))

    def finish(self, max_tokens: int, asked_tokens: int) -> list[SampleFinished]:
        """How each sample that was begun ended. `asked_tokens` is the caller's limit, `max_tokens` the one sent.

        Raises:
            BackendUnavailable: the stream ended before a sample did.
            BackendRejected: the server's content filter stopped a sample.
        """
        begun = self._samples[: len(self._samples) - self.missing()]
        if not begun or any(sample.reason is None for sample in begun):
            raise BackendUnavailable(f"the server at {self._base_url} ended the stream before the answer was complete")
        prompt, cached, completions = self._token_counts(begun)
        events = []
        for index, sample in enumerate(begun):
            usage = Usage(requests=1, prompt_tokens=prompt, cached_tokens=cached, completion_tokens=completions[index])
            # Of several samples only the sum is known, so only a lowered limit tells.
            is_counted = self._usage is not None and len(self._samples) == 1
            is_full = max_tokens < asked_tokens or (is_counted and completions[index] < max_tokens)
            events.append(
                SampleFinished(
                    sample=index,
                    reason=self._reason(sample, is_full=is_full),
                    stop=sample.stop,
                    tool_calls=_tool_calls(sample),
                    usage=usage,
                )
            )
        return events

    def _cut_stop(self, sample: _Sample, text: str, choice: Any) -> str:
        """The stop string that ended the sample, where the server removed it and says which; "" otherwise.

        Servers say it as `stop_reason` (vLLM) or `matched_stop` (SGLang). One that says nothing is believed: a guess
        would put words into the model's mouth.
        """
        if choice.finish_reason != "stop":
            return ""
        whole = sample.text + text
        extra = choice.model_extra or {}
        said = extra.get("stop_reason", extra.get("matched_stop"))
        ending = next((stop for stop in self._stops if stop and whole.endswith(stop)), None)
        if isinstance(said, str) and said in self._stops:
            sample.stop = said
            return "" if whole.endswith(said) else said
        sample.stop = ending
        return ""

    def _token_counts(self, begun: Sequence[_Sample]) -> tuple[int, int, list[int]]:
        """Prompt tokens, cached ones, and completion tokens a sample.

        The protocol counts all samples of a request together: the sum is exact, and is shared out by deltas.
        """
        if self._usage is None:
            return 0, 0, [sample.deltas for sample in begun]
        details = getattr(self._usage, "prompt_tokens_details", None)
        cached = getattr(details, "cached_tokens", None) or 0
        total = self._usage.completion_tokens or 0
        weights = [max(sample.deltas, 1) for sample in begun]
        counts, used, weight = [], 0, 0
        for share in weights:
            weight += share
            upto = total * weight // sum(weights)
            counts.append(upto - used)
            used = upto
        return self._usage.prompt_tokens or 0, cached, counts

    def _reason(self, sample: _Sample, *, is_full: bool) -> FinishReason:
        match sample.reason:
            case "tool_calls" | "function_call":
                return FinishReason.TOOL_CALLS
            case "stop":
                return FinishReason.TOOL_CALLS if sample.calls else FinishReason.STOP
            case "length":
                return FinishReason.CONTEXT if is_full else FinishReason.LENGTH
            case other:
                raise self._ended_by_server(str(other))

    def _ended_by_server(self, reason: str) -> BackendError:
        if reason == "content_filter":
            return BackendRejected(f"the content filter of the server at {self._base_url} stopped the answer")
        return BackendUnavailable(f"the server at {self._base_url} ended the answer by itself: {reason}")


def _add_calls(sample: _Sample, parts: Sequence[Any]) -> None:
    for part in parts:
        call = sample.calls.setdefault(part.index if part.index is not None else len(sample.calls), _CallParts())
        call.id = part.id or call.id
        if part.function is not None:
            call.name = part.function.name or call.name
            call.arguments += part.function.arguments or ""


def _tool_calls(sample: _Sample) -> tuple[ToolCall, ...]:
    """The sample's calls in order; a call without an id gets one, since the reply must name it."""
    return tuple(
        ToolCall(id=call.id or f"call_{index}", name=call.name, arguments=call.arguments)
        for index, call in sorted(sample.calls.items())
    )


def _logprob_sum(choice: Any) -> float | None:
    """The summed log-probabilities of a chunk; None where the server gives none that are numbers."""
    logprobs = getattr(choice, "logprobs", None)
    if logprobs is None:
        return None
    listed = getattr(logprobs, "token_logprobs", None)
    if listed is None:
        listed = [entry.logprob for entry in getattr(logprobs, "content", None) or ()]
    values = [value for value in listed if value is not None and math.isfinite(value)]
    return float(sum(values)) if values else None
