"""The vLLM backend: one face for both ways of running the engine, on a GPU or on a CPU.

What it adds to the contract in `base`:

* A `ChatPrompt` is rendered with the model's own chat template, tools included where the template knows them. What the
  model then writes is text: tool calls are not looked for.
* The end-of-sequence token ends a sample but is not among its ids, so that ids may be appended to. It is counted.
* A `json_schema` is kept by vLLM's structured outputs.
* Log-probabilities are the model's own, before temperature and top-p.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Self

from abaci.backend.base import (
    BackendInfo,
    ChatPrompt,
    FinishReason,
    GenerateEvent,
    GenerateRequest,
    SampleFinished,
    TokenDelta,
)
from abaci.backend.chat_json import message_json, tool_json
from abaci.backend.config import VllmConfig
from abaci.backend.model_files import local_model_directory, require_hub_model
from abaci.backend.own_thread import OwnThread
from abaci.backend.sample_tokens import Piece, SampleTokens
from abaci.backend.vllm_async import AsyncDriver
from abaci.backend.vllm_driver import START_TIMEOUT_S, Driver, EngineFacts, Progress
from abaci.backend.vllm_environment import prepare
from abaci.backend.vllm_inprocess import InprocessDriver
from abaci.errors import BackendRejected, BackendUnavailable, ContextLengthExceeded
from abaci.types import Usage

_TOKEN_ID_LIMIT = 2**31
"""Beyond every vocabulary, and the largest that tokenizers take without an error of their own."""


class VllmBackend:
    """A model in vLLM. See `base.Backend`, and this module's docstring.

    Args:
        config: which model, and how.
        on_progress: told, on the event loop, what the start is doing and the share done (None: unknown).
        is_last: nothing follows in this process, so an engine within it need not give its memory back.
    """

    def __init__(self, config: VllmConfig, *, on_progress: Progress | None = None, is_last: bool = False) -> None:
        self._config = config
        self._on_progress = on_progress
        self._is_last = is_last
        self._driver: Driver | None = None
        self._facts: EngineFacts | None = None

    @property
    def info(self) -> BackendInfo:
        """What this backend is; the context length is known once started."""
        return BackendInfo(
            name="vllm",
            model=self._config.model,
            context_length=None if self._facts is None else self._facts.context_length,
            has_chat_template=self._facts is not None and bool(getattr(self._facts.tokenizer, "chat_template", None)),
        )

    def encode(self, text: str, *, is_start: bool = False) -> tuple[int, ...] | None:
        """The model's token ids of `text`. See `Backend.encode`; raises `BackendUnavailable` before the start."""
        _, facts = self._started()
        return tuple(facts.tokenizer.encode(text, add_special_tokens=is_start))

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[GenerateEvent, None]:
        """Stream the samples of `request`. See `Backend.generate`."""
        driver, facts = self._started()
        prompt_ids = self._prompt_ids(facts, request)
        room = facts.context_length - len(prompt_ids)
        if room < 1:
            raise ContextLengthExceeded(len(prompt_ids), facts.context_length)
        run = _Run(request, prompt_ids, _Codec(facts.tokenizer), room)
        has_begun = False
        try:
            async with contextlib.aclosing(_events(driver, run)) as events:
                async for event in events:
                    has_begun = True
                    yield event
        except (BackendRejected, BackendUnavailable):
            if request.json_schema is None or has_begun:
                raise
            # Not every schema has a grammar: then without it.
            async with contextlib.aclosing(self.generate(request.model_copy(update={"json_schema": None}))) as events:
                async for event in events:
                    yield event

    def _started(self) -> tuple[Driver, EngineFacts]:
        if self._driver is None or self._facts is None:
            raise BackendUnavailable("the vLLM backend is not running: open it with `async with`")
        return self._driver, self._facts

    def _prompt_ids(self, facts: EngineFacts, request: GenerateRequest) -> tuple[int, ...]:
        prompt = request.prompt
        if isinstance(prompt, ChatPrompt):
            return _render_chat(facts.tokenizer, prompt)
        if prompt.token_ids is not None:
            if any(not 0 <= token_id < _TOKEN_ID_LIMIT for token_id in prompt.token_ids):
                raise BackendRejected("the prompt's token ids are not of this model: use `encode`")
            return prompt.token_ids
        return tuple(facts.tokenizer.encode(prompt.text, add_special_tokens=True))

    async def __aenter__(self) -> Self:
        """Load the model. See `Backend.__aenter__`."""
        directory = local_model_directory(self._config.model)
        prepare(self._config, is_local=directory is not None)
        if directory is None:
            await OwnThread("hub-check", lambda: require_hub_model(self._config.model)).result(START_TIMEOUT_S)
        driver = self._make_driver()
        loop = asyncio.get_running_loop()

        def progress(stage: str, share: float | None) -> None:
            # Drivers report from their threads; after an interrupted start there may be no loop left to tell.
            if self._on_progress is not None and not loop.is_closed():
                loop.call_soon_threadsafe(self._on_progress, stage, share)

        self._facts = await driver.start(progress)
        self._driver = driver
        progress("ready", 1.0)
        return self

    def _make_driver(self) -> Driver:
        if self._config.engine == "inprocess":
            return InprocessDriver(self._config, is_last=self._is_last)
        return AsyncDriver(self._config)

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop. See `Backend.__aexit__`."""
        driver, self._driver, self._facts = self._driver, None, None
        if driver is not None:
            await driver.stop()


class _Codec:
    """A Hugging Face tokenizer as `sample_tokens.Codec`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def encode(self, text: str) -> list[int]:
        """The ids of `text` alone."""
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of `token_ids` without special tokens, spaces as they are."""
        return str(
            self._tokenizer.decode(list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )


class _Run:
    """One request on its way: turns vLLM's completions into events.

    Args:
        request: what was asked for.
        prompt_ids: its prompt.
        codec: the model's tokenizer.
        room: tokens that fit behind the prompt, at least 1.
    """

    def __init__(self, request: GenerateRequest, prompt_ids: tuple[int, ...], codec: _Codec, room: int) -> None:
        self._request = request
        self.prompt_ids = prompt_ids
        self._max_tokens = min(request.sampling.max_tokens, room)
        self._samples = [SampleTokens(codec, prompt_ids) for _ in range(request.n)]

    def sampling_params(self) -> Any:
        """The request as vLLM's `SamplingParams`.

        Raises:
            BackendRejected: vLLM refuses a value.
        """
        from vllm.exceptions import VLLMClientError
        from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

        sampling = self._request.sampling
        schema = self._request.json_schema
        try:
            return SamplingParams(
                n=self._request.n,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=self._max_tokens,
                seed=sampling.seed,
                stop=[stop for stop in self._request.stop if stop] or None,
                include_stop_str_in_output=True,
                # 0: of the drawn token only.
                logprobs=0 if self._request.is_logprobs_wanted else None,
                output_kind=RequestOutputKind.DELTA,
                structured_outputs=None if schema is None else StructuredOutputsParams(json=schema),
            )
        except (VLLMClientError, ValueError) as error:
            raise BackendRejected(f"vLLM refuses the request: {error}") from error

    def events(self, completion: Any, cached_tokens: int) -> list[GenerateEvent]:
        """The events that one of vLLM's `CompletionOutput`s stands for: a delta, the end, both or none."""
        sample = self._samples[completion.index]
        token_ids: Sequence[int] = completion.token_ids
        logprob = _logprob_sum(completion)
        if completion.finish_reason is None:
            piece = sample.add(completion.text, token_ids, logprob)
            return [] if piece is None else [self._delta(completion.index, piece)]
        stop = completion.stop_reason if isinstance(completion.stop_reason, str) else None
        if completion.finish_reason == "stop" and stop is None:
            token_ids = sample.drop_end_token(token_ids)
        piece = sample.finish(completion.text, token_ids, logprob, stop=stop)
        finished = SampleFinished(
            sample=completion.index,
            reason=self._reason(completion.finish_reason),
            stop=stop,
            usage=Usage(
                requests=1,
                prompt_tokens=len(self.prompt_ids),
                cached_tokens=cached_tokens,
                completion_tokens=sample.count,
            ),
        )
        return [finished] if piece is None else [self._delta(completion.index, piece), finished]

    def _delta(self, index: int, piece: Piece) -> TokenDelta:
        return TokenDelta(
            sample=index,
            text=piece.text,
            token_ids=piece.token_ids,
            logprob_sum=piece.logprob_sum if self._request.is_logprobs_wanted else None,
        )

    def _reason(self, finish_reason: str) -> FinishReason:
        """vLLM's word for the end in ours.

        Raises:
            BackendUnavailable: the engine ended the sample, not the model.
        """
        match finish_reason:
            case "stop":
                return FinishReason.STOP
            case "length":
                is_whole = self._max_tokens == self._request.sampling.max_tokens
                return FinishReason.LENGTH if is_whole else FinishReason.CONTEXT
            case _:
                raise BackendUnavailable(f"vLLM's engine ended the request by itself: {finish_reason}")


async def _events(driver: Driver, run: _Run) -> AsyncGenerator[GenerateEvent, None]:
    """The events of `run` as `driver` makes them."""
    async with contextlib.aclosing(driver.stream(run.prompt_ids, run.sampling_params())) as outputs:
        async for output in outputs:
            for completion in output.outputs:
                for event in run.events(completion, output.num_cached_tokens or 0):
                    yield event


def _logprob_sum(completion: Any) -> float:
    """The summed log-probabilities of a completion's new tokens; 0 where none were asked for."""
    if not completion.logprobs:
        return 0.0
    pairs = zip(completion.token_ids, completion.logprobs, strict=True)
    return float(sum(choices[token_id].logprob for token_id, choices in pairs))


def _render_chat(tokenizer: Any, prompt: ChatPrompt) -> tuple[int, ...]:
    """The ids of a conversation in the model's own chat format, up to where the assistant begins to write.

    Raises:
        BackendRejected: the model has no chat template, or its template refuses the conversation.
    """
    from jinja2.exceptions import TemplateError

    if not getattr(tokenizer, "chat_template", None):
        raise BackendRejected("this model has no chat template: give it a TextPrompt")
    tools = [tool_json(tool) for tool in prompt.tools]
    try:
        text = tokenizer.apply_chat_template(
            [message_json(message) for message in prompt.messages],
            tools=tools or None,
            add_generation_prompt=True,
            tokenize=False,
        )
    except (TemplateError, ValueError, TypeError) as error:
        raise BackendRejected(f"the model's chat template refuses the conversation: {error}") from error
    # The template writes the leading special tokens itself.
    return tuple(tokenizer.encode(text, add_special_tokens=False))
