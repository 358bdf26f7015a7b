"""The backend contract: prompt and sampling in, a stream of token deltas out.

What every implementation promises:

* **Streaming.** `generate` yields `TokenDelta`s as they are made, interleaved over the `n` samples, then exactly one
  `SampleFinished` per sample.
* **Tokens in, tokens out.** Where `encode` returns ids, a `TextPrompt` with `token_ids` is used as given, and the
  deltas carry the ids generated: the concatenation of a sample's ids decodes to the concatenation of its texts.
  A caller continues a sample by appending, never by re-tokenising.
* **Stop strings** end a sample and are part of its text (`SampleFinished.stop` names the one that matched).
* **Abort.** Closing the generator, or cancelling the task that iterates it, aborts the request in the engine or on
  the server.
* **Errors** are `BackendError`s only: `ContextLengthExceeded` when no new token fits, `BackendRejected` when a retry
  cannot help, `BackendUnavailable` otherwise. Retries, if any, happen before the first delta.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from enum import StrEnum
from typing import Literal, Protocol, Self

from pydantic import Field, JsonValue

from abaci.types import Sampling, Usage, Value

JsonSchema = dict[str, JsonValue]


class TextPrompt(Value):
    """Text for the model to continue; `token_ids` is the same text as the backend's `encode` tokenised it."""

    kind: Literal["text"] = "text"
    text: str
    token_ids: tuple[int, ...] | None = None


class ToolSpec(Value):
    """A tool as a model sees it. `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: JsonSchema


class ToolCall(Value):
    """A model's request to run a tool. `arguments` is the JSON text the model wrote: hostile, possibly malformed."""

    id: str
    name: str
    arguments: str


class ChatMessage(Value):
    """One message. `tool_calls` only for role `assistant`, `tool_call_id` only for role `tool`."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class ChatPrompt(Value):
    """A conversation, and the tools the model may call."""

    kind: Literal["chat"] = "chat"
    messages: tuple[ChatMessage, ...]
    tools: tuple[ToolSpec, ...] = ()


class GenerateRequest(Value):
    """One call for tokens. `stop` strings end a sample; `sampling.seed` makes it repeatable where the engine allows.

    `json_schema` is a wish: where the engine can, each sample is a JSON text of that schema, as far as its tokens
    reach. Where it cannot, samples are drawn without it, and nothing is refused for it.
    """

    prompt: TextPrompt | ChatPrompt = Field(discriminator="kind")
    sampling: Sampling = Sampling()
    stop: tuple[str, ...] = ()
    n: int = Field(default=1, ge=1)
    is_logprobs_wanted: bool = False
    json_schema: JsonSchema | None = None


class TokenDelta(Value):
    """New text of one sample. `logprob_sum` is over this delta's tokens (natural logarithm)."""

    kind: Literal["delta"] = "delta"
    sample: int = 0
    text: str
    token_ids: tuple[int, ...] = ()
    logprob_sum: float | None = None


class FinishReason(StrEnum):
    """Why a sample ended."""

    STOP = "stop"
    """End of sequence, or a stop string."""
    LENGTH = "length"
    """`max_tokens` was reached."""
    CONTEXT = "context"
    """The model's context is full."""
    TOOL_CALLS = "tool_calls"


class SampleFinished(Value):
    """One sample ended. `usage` counts this sample (its prompt too); `completion_tokens` is exact."""

    kind: Literal["finished"] = "finished"
    sample: int = 0
    reason: FinishReason
    stop: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()


GenerateEvent = TokenDelta | SampleFinished


class BackendInfo(Value):
    """What a backend is. `context_length` is in tokens, None when the server does not say."""

    name: str
    model: str
    context_length: int | None = None
    is_chat: bool = False
    """True: give it `ChatPrompt`s. False: give it `TextPrompt`s."""
    has_chat_template: bool = False
    """True: it takes `ChatPrompt`s too, in the model's own format."""


class Backend(Protocol):
    """Makes tokens."""

    @property
    def info(self) -> BackendInfo:
        """What this backend is; valid once started."""
        ...

    def encode(self, text: str, *, is_start: bool = False) -> tuple[int, ...] | None:
        """Token ids of `text`, with leading special tokens when `is_start`; None: this backend takes text only."""
        ...

    def generate(self, request: GenerateRequest) -> AsyncGenerator[GenerateEvent, None]:
        """Stream the samples of `request`. See the module docstring for the promises.

        Raises:
            ContextLengthExceeded: the prompt fills the context.
            BackendRejected: the engine or server refuses this request.
            BackendUnavailable: the server is down or broke the stream.
        """
        ...

    async def __aenter__(self) -> Self:
        """Load the model or connect.

        Raises:
            ModelLoadError: the model cannot be loaded; says why and what to do.
            BackendUnavailable: no server answers.
        """
        ...

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop: unfinished requests are aborted, every thread and process of this backend is gone on return."""
        ...
