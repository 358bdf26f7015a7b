"""What every backend promises: `abaci/backend/base.py`, run against all implementations."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from openai_server import CONTEXT_LENGTH, MODEL, FakeOpenAIServer

from abaci.backend.base import (
    Backend,
    ChatMessage,
    ChatPrompt,
    FinishReason,
    GenerateEvent,
    GenerateRequest,
    SampleFinished,
    TextPrompt,
    TokenDelta,
)
from abaci.backend.config import OpenAIConfig, VllmConfig
from abaci.backend.openai import OpenAIBackend
from abaci.backend.scripted import ScriptedBackend
from abaci.backend.vllm import VllmBackend
from abaci.errors import BackendUnavailable, ContextLengthExceeded
from abaci.types import Sampling

QUESTION = "Find the sum of the first ten positive integers."


@dataclass
class Subject:
    """A started backend, and what the tests must know to look at it from outside."""

    backend: Backend
    decode: Callable[[list[int]], str] | None
    running: Callable[[], int]
    """Requests that the engine or server is working on."""
    closed: Backend
    """Another of its kind, not running."""

    def request(
        self, text: str = QUESTION, *, n: int = 1, stop: tuple[str, ...] = (), **sampling: object
    ) -> GenerateRequest:
        prompt: TextPrompt | ChatPrompt = TextPrompt(text=text, token_ids=self.backend.encode(text, is_start=True))
        if self.backend.info.is_chat:
            prompt = ChatPrompt(messages=(ChatMessage(role="user", content=text),))
        drawn = {"temperature": 1.0, "top_p": 1.0, "seed": 11, "max_tokens": 40} | sampling
        return GenerateRequest(prompt=prompt, n=n, stop=stop, sampling=Sampling.model_validate(drawn))


@dataclass
class Sample:
    text: str
    token_ids: list[int]
    finished: SampleFinished


async def draw(subject: Subject, request: GenerateRequest) -> list[Sample]:
    events = [event async for event in subject.backend.generate(request)]
    return [gather(events, index) for index in range(request.n)]


def gather(events: list[GenerateEvent], index: int) -> Sample:
    deltas = [event for event in events if isinstance(event, TokenDelta) and event.sample == index]
    finished = [event for event in events if isinstance(event, SampleFinished) and event.sample == index]
    assert len(finished) == 1
    assert events.index(finished[0]) > max((events.index(delta) for delta in deltas), default=-1)
    ids = [token_id for delta in deltas for token_id in delta.token_ids]
    return Sample("".join(delta.text for delta in deltas), ids, finished[0])


def scripted_text(request: GenerateRequest) -> str:
    chance = random.Random(f"{request.prompt}{request.sampling.seed}")
    return "".join(chance.choices("abcdefghij \n", k=1000))


async def idle(subject: Subject) -> bool:
    """Whether the engine comes to rest, within a generous bound."""
    for _ in range(1000):
        if subject.running() == 0:
            return True
        await asyncio.sleep(0.01)
    return False


def make_scripted(stack: AsyncExitStack, request: pytest.FixtureRequest, *, is_chat: bool) -> tuple[Backend, Subject]:
    backend = ScriptedBackend(
        scripted_text, is_chat=is_chat, context_length=CONTEXT_LENGTH, latency_s=0.001, piece_chars=7
    )
    closed = ScriptedBackend(scripted_text)
    decode = None if is_chat else backend.decode
    return backend, Subject(backend, decode, lambda: backend.running, closed)


def make_openai(stack: AsyncExitStack, request: pytest.FixtureRequest, *, is_chat: bool) -> tuple[Backend, Subject]:
    server: FakeOpenAIServer = request.getfixturevalue("openai_server")
    server.chunk_delay_s = 0.001
    config = OpenAIConfig(base_url=server.url, model=MODEL, is_chat=is_chat, timeout_s=20)
    backend = OpenAIBackend(config)
    return backend, Subject(backend, None, lambda: server.running, OpenAIBackend(config))


def make_vllm(request: pytest.FixtureRequest) -> Subject:
    backend: VllmBackend = request.getfixturevalue("vllm_backend")
    driver, facts = backend._started()

    def decode(token_ids: list[int]) -> str:
        return str(facts.tokenizer.decode(token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    return Subject(backend, decode, lambda: len(driver._outboxes), VllmBackend(VllmConfig(model="somewhere")))


@pytest.fixture(params=["scripted", "scripted-chat", "openai", "openai-chat", "vllm"])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    kind, _, mode = request.param.partition("-")
    if kind == "vllm":
        yield make_vllm(request)
        return
    async with AsyncExitStack() as stack:
        make = make_scripted if kind == "scripted" else make_openai
        backend, subject = make(stack, request, is_chat=mode == "chat")
        await stack.enter_async_context(backend)
        await stack.enter_async_context(subject.closed)
        await subject.closed.__aexit__(None, None, None)
        yield subject


async def test_every_sample_streams_deltas_and_then_finishes_once(subject: Subject) -> None:
    samples = await draw(subject, subject.request(n=3))
    assert all(sample.text for sample in samples)


async def test_samples_of_one_request_differ(subject: Subject) -> None:
    if isinstance(subject.backend, ScriptedBackend):
        replies = iter("ab")
        subject.backend._script = lambda _request: next(replies)
    first, second = await draw(subject, subject.request(n=2))
    assert first.text != second.text


async def test_ids_decode_to_the_text_wherever_there_are_ids(subject: Subject) -> None:
    for sample in await draw(subject, subject.request(n=4)):
        if subject.decode is None:
            assert subject.backend.encode("x") is None
            assert sample.token_ids == []
        else:
            assert subject.decode(sample.token_ids) == sample.text


async def test_encoded_text_decodes_to_itself(subject: Subject) -> None:
    ids = subject.backend.encode("```output\n55 é∑\n```\n")
    if subject.decode is None:
        assert ids is None
    else:
        assert ids is not None
        assert subject.decode(list(ids)) == "```output\n55 é∑\n```\n"


async def test_the_start_of_a_text_may_have_special_tokens_before_it(subject: Subject) -> None:
    whole, rest = subject.backend.encode("2 + 2", is_start=True), subject.backend.encode("2 + 2")
    assert (whole is None and rest is None) or (whole is not None and rest is not None and whole[-len(rest) :] == rest)


async def test_a_stop_string_ends_the_sample_and_its_text(subject: Subject) -> None:
    [free] = await draw(subject, subject.request())
    stop = free.text[5:8]
    [sample] = await draw(subject, subject.request(stop=(stop,)))
    assert sample.text == free.text[: free.text.index(stop) + 3]
    assert (sample.finished.reason, sample.finished.stop) == (FinishReason.STOP, stop)


async def test_ids_still_decode_to_the_text_when_a_stop_string_ends_inside_a_token(subject: Subject) -> None:
    [free] = await draw(subject, subject.request())
    for end in range(2, len(free.text)):
        stop = free.text[end - 2 : end]
        if "\ufffd" in free.text[:end] or free.text.index(stop) != end - 2:
            continue
        [sample] = await draw(subject, subject.request(stop=(stop,)))
        assert sample.text == free.text[:end]
        assert subject.decode is None or subject.decode(sample.token_ids) == sample.text


async def test_of_two_stop_strings_the_first_to_appear_counts(subject: Subject) -> None:
    [free] = await draw(subject, subject.request())
    late, early = free.text[20:23], free.text[4:7]
    [sample] = await draw(subject, subject.request(stop=(late, early)))
    assert sample.finished.stop == early


async def test_the_token_limit_ends_a_sample_for_length(subject: Subject) -> None:
    [sample] = await draw(subject, subject.request(max_tokens=17))
    assert sample.finished.reason is FinishReason.LENGTH
    assert sample.finished.usage.completion_tokens == 17
    assert subject.decode is None or len(sample.token_ids) == 17


async def test_usage_counts_the_prompt(subject: Subject) -> None:
    request = subject.request()
    [sample] = await draw(subject, request)
    ids = subject.backend.encode(QUESTION, is_start=True)
    assert sample.finished.usage.prompt_tokens == (len(QUESTION) if ids is None else len(ids))
    assert sample.finished.usage.requests == 1


async def test_a_full_context_ends_a_sample_for_that_reason(subject: Subject) -> None:
    context_length = subject.backend.info.context_length
    assert context_length == CONTEXT_LENGTH
    text = "a" * (context_length - 30)
    if subject.decode is not None:
        ids = subject.backend.encode(text, is_start=True)
        assert ids is not None
        text = subject.decode(list(ids[: context_length - 20]))
    [sample] = await draw(subject, subject.request(text, max_tokens=context_length))
    assert sample.finished.reason is FinishReason.CONTEXT
    usage = sample.finished.usage
    assert usage.prompt_tokens + usage.completion_tokens == context_length


async def test_a_prompt_as_long_as_the_context_is_refused(subject: Subject) -> None:
    text = "?!" * CONTEXT_LENGTH
    with pytest.raises(ContextLengthExceeded) as caught:
        await draw(subject, subject.request(text))
    assert caught.value.prompt_tokens >= caught.value.context_length == CONTEXT_LENGTH


async def test_the_same_seed_gives_the_same_text(subject: Subject) -> None:
    [first], [second] = await draw(subject, subject.request()), await draw(subject, subject.request())
    assert first.text == second.text


async def test_another_seed_gives_another_text(subject: Subject) -> None:
    [first], [second] = await draw(subject, subject.request()), await draw(subject, subject.request(seed=99))
    assert first.text != second.text


async def test_logprobs_come_when_they_are_wanted(subject: Subject) -> None:
    request = subject.request().model_copy(update={"is_logprobs_wanted": True})
    sums = [event.logprob_sum async for event in subject.backend.generate(request) if isinstance(event, TokenDelta)]
    assert all(value is not None and value < 0.0 for value in sums)


async def test_logprobs_are_absent_when_they_are_not_wanted(subject: Subject) -> None:
    events = [event async for event in subject.backend.generate(subject.request())]
    assert all(event.logprob_sum is None for event in events if isinstance(event, TokenDelta))


async def test_closing_the_stream_aborts_the_request(subject: Subject) -> None:
    stream = subject.backend.generate(subject.request(max_tokens=400))
    await anext(stream)
    await stream.aclose()
    assert await idle(subject)


async def test_cancelling_the_reader_aborts_the_request(subject: Subject) -> None:
    begun = asyncio.Event()

    async def read() -> None:
        async for _event in subject.backend.generate(subject.request(max_tokens=400)):
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await idle(subject)


async def test_many_requests_run_at_once(subject: Subject) -> None:
    results = await asyncio.gather(*(draw(subject, subject.request(seed=seed)) for seed in range(8)))
    alone = await draw(subject, subject.request(seed=5))
    assert results[5][0].text == alone[0].text


async def test_a_backend_that_is_not_running_says_so(subject: Subject) -> None:
    with pytest.raises(BackendUnavailable, match="async with"):
        await anext(subject.closed.generate(subject.request()))
