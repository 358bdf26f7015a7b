"""The OpenAI backend: any server that speaks the OpenAI protocol makes the tokens.

What it adds to the contract in `base`:

* **Text only.** The protocol has no token ids: `encode` gives None and deltas carry no ids.
* **Stop strings.** Servers remove the stop string from the text. It is put back where the server says which one it was
  (vLLM, SGLang) or can be told to leave it in (vLLM). Otherwise `SampleFinished.stop` is None and the text ends before
  the stop string: the sample may as well have ended by itself, and nothing is guessed.
* **Retries** happen before the first delta only: at most `max_retries`, with doubling waits, for 408, 409, 425, 429,
  5xx and broken connections. A stream that breaks later is `BackendUnavailable`.
* **Refused features** are done without: `n` above 1 becomes single requests, one after the other, with seeds counted
  up; a limit beyond the context is lowered to what fits, and reaching that is `FinishReason.CONTEXT`; a JSON schema is
  left out.
* **Usage** is the server's. With `n` above 1 the protocol gives one sum, which is shared out over the samples; a server
  that gives no usage at all is counted by deltas.
* Reasoning that a server sends apart from the content is counted but not part of the text.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any, Self, cast

import openai

from abaci.backend.base import BackendInfo, ChatPrompt, GenerateEvent, GenerateRequest, SampleFinished, TokenDelta
from abaci.backend.config import OpenAIConfig
from abaci.backend.openai_errors import context_refusal, is_refusal_of, is_retryable, retry_wait_s, translate
from abaci.backend.openai_wire import Answer, Dialect, request_body
from abaci.errors import BackendError, BackendRejected, BackendUnavailable, ContextLengthExceeded

_CONNECT_TIMEOUT_S = 10.0
_LISTED_MODELS = 20
_ADDRESS_ADVICE = "check the address, which usually ends in /v1"
_SCHEMA_NAMES = ("response_format", "json_schema", "structured_outputs")
"""What servers call the parameter when they refuse it."""


class OpenAIBackend:
    """A model behind the OpenAI protocol. See `base.Backend`, and this module's docstring."""

    def __init__(self, config: OpenAIConfig) -> None:
        self._config = config
        self._client: openai.AsyncOpenAI | None = None
        self._dialect = Dialect()
        self._context_length = config.context_length

    @property
    def info(self) -> BackendInfo:
        """What this backend is; the context length, where the server says it, is known once started."""
        return BackendInfo(
            name="openai",
            model=self._config.model,
            context_length=self._context_length,
            is_chat=self._config.is_chat,
        )

    def encode(self, text: str, *, is_start: bool = False) -> tuple[int, ...] | None:
        """None: the protocol takes text."""
        return None

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[GenerateEvent, None]:
        """Stream the samples of `request`. See `Backend.generate`."""
        if isinstance(request.prompt, ChatPrompt) is not self._config.is_chat:
            wanted = "a ChatPrompt (is_chat is true)" if self._config.is_chat else "a TextPrompt (is_chat is false)"
            raise BackendRejected(f"this backend was configured to take {wanted}")
        done = 0
        while done < request.n:
            part = self._remaining(request, done)
            stream, max_tokens = await self._open(part)
            if stream is None:
                continue
            answer = Answer(part.stop, part.n, self._config.base_url)
            async with stream:
                try:
                    async for chunk in stream:
                        for delta in answer.add(chunk):
                            yield _shifted(delta, done)
                except openai.APIError as error:
                    raise translate(error, self._config.base_url) from error
                except ValueError as error:
                    raise BackendUnavailable(
                        f"the server at {self._config.base_url} sent what is not JSON: {error}"
                    ) from error
            finished = answer.finish(max_tokens, part.sampling.max_tokens)
            for event in finished:
                yield _shifted(event, done)
            done += len(finished)
            if done < request.n:
                self._dialect.has_many_samples = False

    def _remaining(self, request: GenerateRequest, done: int) -> GenerateRequest:
        """What is still to be asked for when `done` samples are there: all of it, or one where only one is possible."""
        n = request.n - done if self._dialect.has_many_samples else 1
        if n == request.n:
            return request
        seed = request.sampling.seed
        sampling = request.sampling.model_copy(update={"seed": None if seed is None else (seed + done) % 2**31})
        return request.model_copy(update={"n": n, "sampling": sampling})

    async def _open(self, request: GenerateRequest) -> tuple[openai.AsyncStream[Any] | None, int]:
        """The opened stream and the token limit sent; no stream: `n` was refused, ask for one at a time.

        Retries what may pass, and adapts to what the server does not understand.
        """
        max_tokens = request.sampling.max_tokens
        attempt = 0
        while True:
            body = request_body(request, self._config.model, self._dialect, max_tokens)
            try:
                return await self._create(body), max_tokens
            except openai.APIError as error:
                if is_retryable(error):
                    if attempt >= self._config.max_retries:
                        raise translate(error, self._config.base_url) from error
                    await asyncio.sleep(retry_wait_s(error, attempt))
                    attempt += 1
                elif (lowered := self._fitting(error, max_tokens)) is not None:
                    max_tokens = lowered
                elif request.n > 1 and self._dialect.has_many_samples and is_refusal_of(error, "n"):
                    self._dialect.has_many_samples = False
                    return None, max_tokens
                elif self._adapt(error):
                    pass
                elif self._is_schema_suspect(request, error):
                    # Not every schema has a grammar, and not every server says that this is what it refuses.
                    request = request.model_copy(update={"json_schema": None})
                else:
                    raise await self._refusal(error) from error

    async def _create(self, body: dict[str, Any]) -> openai.AsyncStream[Any]:
        """Send `body`; the stream, once the server has accepted it."""
        if self._client is None:
            raise BackendUnavailable("the OpenAI backend is not running: open it with `async with`")
        api = self._client.chat.completions if self._config.is_chat else self._client.completions
        return cast("openai.AsyncStream[Any]", await api.create(**body))

    def _fitting(self, error: openai.APIError, max_tokens: int) -> int | None:
        """A lower token limit that fits, when the last one was refused as too long; None: that was not the reason.

        Raises:
            ContextLengthExceeded: the prompt alone is too long.
        """
        refusal = context_refusal(error)
        if refusal is None:
            return None
        context_length = refusal.context_length or self._context_length
        prompt_tokens = refusal.prompt_tokens
        if context_length is not None:
            # Some servers refuse the limit by itself before they look at the prompt: it has one token at least.
            lowered = context_length - (1 if prompt_tokens is None else prompt_tokens)
            if 1 <= lowered < max_tokens:
                return lowered
        known = context_length or 0
        raise ContextLengthExceeded(prompt_tokens or known, known) from error

    def _adapt(self, error: openai.APIError) -> bool:
        """Do without the feature that the server refuses; False: it refuses something else."""
        dialect = self._dialect
        if dialect.token_limit == "max_tokens" and "max_completion_tokens" in error.message:
            dialect.token_limit = "max_completion_tokens"
        elif dialect.has_stream_usage and is_refusal_of(error, "stream_options"):
            dialect.has_stream_usage = False
        elif dialect.has_stop_in_text and is_refusal_of(error, "include_stop_str_in_output"):
            dialect.has_stop_in_text = False
        elif dialect.has_json_schema and any(is_refusal_of(error, name) for name in _SCHEMA_NAMES):
            dialect.has_json_schema = False
        else:
            return False
        return True

    def _is_schema_suspect(self, request: GenerateRequest, error: openai.APIError) -> bool:
        """Whether a JSON schema was sent, and may be what `error` is about."""
        is_sent = request.json_schema is not None and self._dialect.has_json_schema
        return is_sent and isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError)

    async def _refusal(self, error: openai.APIError) -> BackendError:
        """What to raise for a refusal; an unknown model is answered with the known ones."""
        translated = translate(error, self._config.base_url)
        if not isinstance(error, openai.NotFoundError) or self._client is None:
            return translated
        try:
            names = sorted([model.id async for model in self._client.models.list()])
        except openai.APIError:
            return BackendRejected(f"{translated}; {_ADDRESS_ADVICE}")
        if self._config.model in names:
            return translated
        listed = ", ".join(names[:_LISTED_MODELS]) + (", …" if len(names) > _LISTED_MODELS else "")
        return BackendRejected(f"{translated}; it has no model {self._config.model!r}, but: {listed}")

    async def __aenter__(self) -> Self:
        """Connect: ask what the server knows about its models. See `Backend.__aenter__`.

        Raises:
            BackendUnavailable: no server answers.
            BackendRejected: it refuses the API key, or speaks another protocol.
        """
        key = self._config.api_key
        self._client = openai.AsyncOpenAI(
            base_url=self._config.base_url,
            # Servers without keys want none; the package insists on one.
            api_key=key.get_secret_value() if key is not None else "none",
            max_retries=0,
            timeout=openai.Timeout(self._config.timeout_s, connect=min(_CONNECT_TIMEOUT_S, self._config.timeout_s)),
        )
        try:
            await self._learn(self._client)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _learn(self, client: openai.AsyncOpenAI) -> None:
        """Read the server's list of models, if it has one: is it vLLM's, and how long is the context?"""
        attempt = 0
        began = time.monotonic()
        while True:
            try:
                models = [model async for model in client.models.list()]
            except openai.APIError as error:
                is_over = attempt >= self._config.max_retries or time.monotonic() - began > self._config.timeout_s
                if is_retryable(error) and not is_over:
                    await asyncio.sleep(retry_wait_s(error, attempt))
                    attempt += 1
                    continue
                if is_retryable(error) or isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
                    raise translate(error, self._config.base_url) from error
                return
            except AttributeError as error:
                # The package takes whatever is no JSON for the list itself.
                answered = f"the server at {self._config.base_url} does not answer as the OpenAI protocol has it"
                raise BackendRejected(f"{answered}: {_ADDRESS_ADVICE}") from error
            break
        for model in models:
            self._dialect.has_stop_in_text |= model.owned_by == "vllm"
            length = (model.model_extra or {}).get("max_model_len")
            if model.id == self._config.model and isinstance(length, int) and self._context_length is None:
                self._context_length = length

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the connections; requests in progress break off. See `Backend.__aexit__`."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


def _shifted(event: TokenDelta | SampleFinished, by: int) -> TokenDelta | SampleFinished:
    """`event` as of the sample `by` places later."""
    return event if by == 0 else event.model_copy(update={"sample": event.sample + by})
