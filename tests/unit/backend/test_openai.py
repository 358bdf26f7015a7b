"""The OpenAI backend against a real HTTP server with faults; what it sends, repeats, adapts and reports."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from openai_server import KEY, MODEL, Drop, FakeOpenAIServer, Fault, Reply, toy_text
from pydantic import SecretStr

from abaci.backend import openai_errors
from abaci.backend.base import (
    ChatMessage,
    ChatPrompt,
    FinishReason,
    GenerateEvent,
    GenerateRequest,
    SampleFinished,
    TextPrompt,
    TokenDelta,
    ToolCall,
    ToolSpec,
)
from abaci.backend.config import OpenAIConfig
from abaci.backend.openai import OpenAIBackend
from abaci.errors import BackendRejected, BackendUnavailable, ContextLengthExceeded
from abaci.types import Sampling

TEXT = GenerateRequest(prompt=TextPrompt(text="question"), sampling=Sampling(seed=1, max_tokens=20))
CHAT = TEXT.model_copy(update={"prompt": ChatPrompt(messages=(ChatMessage(role="user", content="question"),))})

Open = Callable[..., contextlib.AbstractAsyncContextManager[OpenAIBackend]]


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_errors, "_FIRST_RETRY_WAIT_S", 0.01)


@pytest.fixture
def open_backend(openai_server: FakeOpenAIServer) -> Open:
    @contextlib.asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[OpenAIBackend]:
        config = {"base_url": openai_server.url, "model": MODEL, "is_chat": False, "timeout_s": 20.0} | settings
        async with OpenAIBackend(OpenAIConfig.model_validate(config)) as backend:
            yield backend

    return opened


async def draw(backend: OpenAIBackend, request: GenerateRequest = TEXT) -> list[GenerateEvent]:
    return [event async for event in backend.generate(request)]


def text_of(events: list[GenerateEvent], sample: int = 0) -> str:
    return "".join(event.text for event in events if isinstance(event, TokenDelta) and event.sample == sample)


def ends(events: list[GenerateEvent]) -> list[SampleFinished]:
    return [event for event in events if isinstance(event, SampleFinished)]


# --- retries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_what_may_pass_is_tried_again(open_backend: Open, openai_server: FakeOpenAIServer, status: int) -> None:
    openai_server.script = [Fault(status), Fault(status)]
    async with open_backend() as backend:
        assert text_of(await draw(backend)) == toy_text("question", 1, 0)[:20]
    assert len(openai_server.bodies) == 3


async def test_retries_are_bounded(open_backend: Open, openai_server: FakeOpenAIServer) -> None:
    openai_server.script = [Fault(500, "on fire")] * 9
    async with open_backend(max_retries=2) as backend:
        with pytest.raises(BackendUnavailable, match="on fire"):
            await draw(backend)
    assert len(openai_server.bodies) == 3


async def test_the_wait_that_the_server_asks_for_is_kept_but_bounded(openai_server: FakeOpenAIServer) -> None:
    import httpx2
    import openai

    response = httpx2.Response(429, headers={"retry-after": "7"}, request=httpx2.Request("GET", openai_server.url))
    error = openai.RateLimitError("busy", response=response, body=None)
    assert openai_errors.retry_wait_s(error, 0) == 7.0
    response.headers["retry-after"] = "99999"
    assert openai_errors.retry_wait_s(error, 0) == openai_errors.MAX_RETRY_WAIT_S


async def test_a_refusal_is_not_tried_again(open_backend: Open, openai_server: FakeOpenAIServer) -> None:
    openai_server.script = [Fault(400, "temperature is too hot")]
    async with open_backend() as backend:
        with pytest.raises(BackendRejected, match="temperature is too hot"):
            await draw(backend)
    assert len(openai_server.bodies) == 1


@pytest.mark.parametrize("is_rude", [True, False])
async def test_a_stream_that_breaks_off_is_reported(
    open_backend: Open, openai_server: FakeOpenAIServer, is_rude: bool
) -> None:
    openai_server.script = [Drop(after_chunks=2, is_rude=is_rude)]
    async with open_backend() as backend:
        stream = backend.generate(TEXT)
        seen = [await anext(stream), await anext(stream)]
        with pytest.raises(BackendUnavailable):
            await anext(stream)
    assert text_of(seen) == toy_text("question", 1, 0)[:8]
    assert len(openai_server.bodies) == 1


# --- connecting -------------------------------------------------------------------------------------------------------


async def test_no_server_is_unavailable(open_backend: Open) -> None:
    with pytest.raises(BackendUnavailable, match="is it running"):
        async with open_backend(base_url="http://127.0.0.1:9/v1", max_retries=1):
            pass


async def test_a_wrong_key_is_refused_at_the_start(open_backend: Open, openai_server: FakeOpenAIServer) -> None:
    openai_server.needs_key = True
    with pytest.raises(BackendRejected, match=r"refuses the API key .*ABACI_BACKEND__API_KEY"):
        async with open_backend(api_key="guess"):
            pass


async def test_the_key_is_sent(open_backend: Open, openai_server: FakeOpenAIServer) -> None:
    openai_server.needs_key = True
    async with open_backend(api_key=SecretStr(KEY)) as backend:
        assert text_of(await draw(backend))


async def test_a_server_without_a_list_of_models_will_do(open_backend: Open, openai_server: FakeOpenAIServer) -> None:
    openai_server.has_models = False
    async with open_backend() as backend:
        assert backend.info.context_length is None
        assert text_of(await draw(backend))


async def test_an_unknown_model_is_answered_with_the_known_ones(open_backend: Open) -> None:
    async with open_backend(model="toi") as backend:
        with pytest.raises(BackendRejected, match=r"no model 'toi', but: toy"):
            await draw(backend)


async def test_an_address_without_its_end_is_answered_with_advice(
    open_backend: Open, openai_server: FakeOpenAIServer
) -> None:
    root = openai_server.url.removesuffix("/v1")
    async with open_backend(base_url=root) as backend:
        with pytest.raises(BackendRejected, match=r"404.*usually ends in /v1"):
            await draw(backend)
    with pytest.raises(BackendRejected, match=r"/web does not answer as the OpenAI protocol.*usually ends in /v1"):
        async with open_backend(base_url=f"{root}/web"):
            pass


async def test_a_prompt_of_the_other_kind_is_refused(open_backend: Open) -> None:
    async with open_backend() as backend:
        with pytest.raises(BackendRejected, match="TextPrompt"):
            await draw(backend, CHAT)


# --- what a server does not understand --------------------------------------------------------------------------------


async def test_many_samples_become_single_requests_where_they_are_refused(
    open_backend: Open, openai_server: FakeOpenAIServer
) -> None:
    openai_server.has_many_samples = False
    async with open_backend() as backend:
        events = await draw(backend, TEXT.model_copy(update={"n": 3}))
    assert [end.sample for end in ends(events)] == [0, 1, 2]
    assert [text_of(events, index) for index in range(3)] == [toy_text("question", 1, i)[:20] for i in range(3)]
    assert [body.get("n", 1) for body in openai_server.bodies] == [3, 1, 1, 1]


async def test_the_refusal_of_many_samples_is_remembered(open_backend: Open, openai_server: FakeOpenAIServer) -> None:
    openai_server.has_many_samples = False
    async with open_backend() as backend:
        await draw(backend, TEXT.model_copy(update={"n": 2}))
        openai_server.bodies.clear()
        await draw(backend, TEXT.model_copy(update={"n": 2}))
    assert [body.get("n", 1) for body in openai_server.bodies] == [1, 1]


async def test_samples_that_the_server_silently_left_out_are_asked_for(
    open_backend: Open, openai_server: FakeOpenAIServer
) -> None:
    openai_server.ignores_many_samples = True
    async with open_backend() as backend:
        events = await draw(backend, TEXT.model_copy(update={"n": 3}))
    assert [text_of(events, index) for index in range(3)] == [toy_text("question", 1, i)[:20] for i in range(3)]
    assert len(ends(events)) == 3


@pytest.mark.parametrize(
    ("fault", "absent", "present"),
    [
        (Fault(400, "Unsupported parameter", param="stream_options"), "stream_options", "max_tokens"),
        (
            Fault(400, "'max_tokens' is not supported, use 'max_completion_tokens' instead", param="max_tokens"),
            "max_tokens",
            "max_completion_tokens",
        ),
    ],
)
async def test_a_parameter_that_is_refused_is_left_out_or_renamed(
    open_backend: Open, openai_server: FakeOpenAIServer, fault: Fault, absent: str, present: str
) -> None:
    openai_server.script = [fault]
    async with open_backend(is_chat=True) as backend:
        assert text_of(await draw(backend, CHAT))
    assert absent not in openai_server.bodies[1]
    assert present in openai_server.bodies[1]


@pytest.mark.parametrize("logprob", [float("-inf"), float("nan")])
@pytest.mark.parametrize("request_", [TEXT, CHAT], ids=["text", "chat"])
async def test_log_probabilities_that_are_no_numbers_are_none(
    open_backend: Open, openai_server: FakeOpenAIServer, logprob: float, request_: GenerateRequest
) -> None:
    openai_server.logprob = logprob
    async with open_backend(is_chat=request_ is CHAT) as backend:
        events = await draw(backend, request_.model_copy(update={"is_logprobs_wanted": True}))
    assert text_of(events)
    assert all(event.logprob_sum is None for event in events if isinstance(event, TokenDelta))


@pytest.mark.parametrize("request_", [CHAT, TEXT], ids=["chat", "text"])
async def test_a_json_schema_is_sent(
    open_backend: Open, openai_server: FakeOpenAIServer, request_: GenerateRequest
) -> None:
    async with open_backend(is_chat=request_ is CHAT) as backend:
        await draw(backend, request_.model_copy(update={"json_schema": {"type": "object"}}))
    [body] = openai_server.bodies
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "reply", "schema": {"type": "object"}, "strict": True},
    }


@pytest.mark.parametrize(
    "fault",
    [
        Fault(400, "Unsupported parameter", param="response_format"),
        Fault(400, "This model does not support json_schema as a format"),
        Fault(422, "Invalid schema for response_format 'reply'"),
    ],
)
async def test_a_json_schema_that_is_refused_is_left_out_from_then_on(
    open_backend: Open, openai_server: FakeOpenAIServer, fault: Fault
) -> None:
    openai_server.script = [fault]
    held = CHAT.model_copy(update={"json_schema": {"type": "object"}})
    async with open_backend(is_chat=True) as backend:
        assert text_of(await draw(backend, held))
        assert text_of(await draw(backend, held))
    assert ["response_format" in body for body in openai_server.bodies] == [True, False, False]


async def test_a_json_schema_without_a_grammar_costs_no_reply(
    open_backend: Open, openai_server: FakeOpenAIServer
) -> None:
    openai_server.script = [Fault(400, "Failed to initialize samplers: failed to parse grammar")]
    held = CHAT.model_copy(update={"json_schema": {"type": "object"}})
    async with open_backend(is_chat=True) as backend:
        assert text_of(await draw(backend, held))
        assert text_of(await draw(backend, held))
    # Another schema may have one.
    assert ["response_format" in body for body in openai_server.bodies] == [True, False, True]


async def test_what_is_refused_without_its_json_schema_too_is_an_error(
    open_backend: Open, openai_server: FakeOpenAIServer
) -> None:
    openai_server.script = [Fault(400, "temperature: too hot")] * 2
    held = CHAT.model_copy(update={"json_schema": {"type": "object"}})
    async with open_backend(is_chat=True) as backend:
        with pytest.raises(BackendRejected, match="too hot"):
            await draw(backend, held)
    assert len(openai_server.bodies) == 2


async def test_a_limit_beyond_the_context_is_lowered_once(open_backend: Open, openai_server: FakeOpenAIServer) -> None:
    async with open_backend() as backend:
        [end] = ends(await draw(backend, TEXT.model_copy(update={"sampling": Sampling(max_tokens=5000)})))
    assert end.reason is FinishReason.CONTEXT
    assert [body["max_tokens"] for body in openai_server.bodies] == [5000, 512 - len("question")]


async def test_a_limit_that_is_refused_by_itself_is_lowered_too(
    open_backend: Open, openai_server: FakeOpenAIServer
) -> None:
    openai_server.script = [
        Fault(400, "max_tokens=5000 cannot be greater than max_model_len=512. Please request fewer")
    ]
    async with open_backend() as backend:
        [end] = ends(await draw(backend, TEXT.model_copy(update={"sampling": Sampling(max_tokens=5000)})))
    assert end.reason is FinishReason.CONTEXT
    assert [body["max_tokens"] for body in openai_server.bodies] == [5000, 511, 512 - len("question")]


@pytest.mark.parametrize(
    ("message", "numbers"),
    [
        (
            "This model's maximum context length is 512 tokens. However, your prompt contains 513 input tokens, which",
            (513, 512),
        ),
        (
            "This model's maximum context length is 4097 tokens, however you requested 5000 tokens "
            "(4200 in your prompt; 800 for the completion).",
            (4200, 4097),
        ),
        ("the request exceeds the available context size, try increasing it", (512, 512)),
    ],
)
async def test_a_prompt_that_is_too_long_is_recognised_in_many_words(
    open_backend: Open, openai_server: FakeOpenAIServer, message: str, numbers: tuple[int, int]
) -> None:
    openai_server.script = [Fault(400, message)]
    async with open_backend() as backend:
        with pytest.raises(ContextLengthExceeded) as caught:
            await draw(backend)
    assert (caught.value.prompt_tokens, caught.value.context_length) == numbers


# --- stop strings -----------------------------------------------------------------------------------------------------


async def test_a_stop_string_that_was_removed_and_not_named_is_not_guessed(
    open_backend: Open, openai_server: FakeOpenAIServer
) -> None:
    openai_server.tells_stop = False
    stop = toy_text("question", 1, 0)[6:9]
    async with open_backend() as backend:
        events = await draw(backend, TEXT.model_copy(update={"stop": (stop,)}))
    assert text_of(events) == toy_text("question", 1, 0)[:6]
    assert (ends(events)[0].reason, ends(events)[0].stop) == (FinishReason.STOP, None)


async def test_only_a_vllm_server_is_told_to_leave_the_stop_string(
    open_backend: Open, openai_server: FakeOpenAIServer
) -> None:
    async with open_backend() as backend:
        await draw(backend, TEXT.model_copy(update={"stop": ("x",)}))
    openai_server.owner = "vllm"
    async with open_backend() as backend:
        await draw(backend, TEXT.model_copy(update={"stop": ("x",)}))
    assert ["include_stop_str_in_output" in body for body in openai_server.bodies] == [False, True]


# --- tools ------------------------------------------------------------------------------------------------------------


async def test_a_tool_call_is_assembled_from_its_pieces(open_backend: Open, openai_server: FakeOpenAIServer) -> None:
    def part(**call: Any) -> list[dict[str, Any]]:
        return [
            {"index": 0, "delta": {"tool_calls": [{"index": 0, "type": "function", **call}]}, "finish_reason": None}
        ]

    openai_server.script = [
        Reply(
            [
                part(id="c7", function={"name": "python", "arguments": ""}),
                part(function={"arguments": '{"code": '}),
                part(function={"arguments": '"print(1)"}'}),
                [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}],
            ],
            {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12},
        )
    ]
    async with open_backend(is_chat=True) as backend:
        [end] = ends(await draw(backend, CHAT))
    assert end.reason is FinishReason.TOOL_CALLS
    assert end.tool_calls == (ToolCall(id="c7", name="python", arguments='{"code": "print(1)"}'),)
    assert end.usage.completion_tokens == 9


async def test_tools_calls_and_their_results_are_sent(open_backend: Open, openai_server: FakeOpenAIServer) -> None:
    messages = (
        ChatMessage(role="user", content="question"),
        ChatMessage(role="assistant", tool_calls=(ToolCall(id="c7", name="python", arguments="{}"),)),
        ChatMessage(role="tool", content="55", tool_call_id="c7"),
    )
    tool = ToolSpec(name="python", description="runs code", parameters={"type": "object"})
    async with open_backend(is_chat=True) as backend:
        await draw(backend, CHAT.model_copy(update={"prompt": ChatPrompt(messages=messages, tools=(tool,))}))
    [body] = openai_server.bodies
    assert body["tools"][0]["function"]["name"] == "python"
    assert body["messages"][1]["tool_calls"][0]["id"] == body["messages"][2]["tool_call_id"] == "c7"


async def test_the_servers_content_filter_is_a_refusal(open_backend: Open, openai_server: FakeOpenAIServer) -> None:
    openai_server.script = [Reply([[{"index": 0, "delta": {"content": "x"}, "finish_reason": "content_filter"}]])]
    async with open_backend(is_chat=True) as backend:
        with pytest.raises(BackendRejected, match="content filter"):
            await draw(backend, CHAT)


# --- usage ------------------------------------------------------------------------------------------------------------


async def test_usage_is_the_servers(open_backend: Open) -> None:
    async with open_backend() as backend:
        [end] = ends(await draw(backend))
    assert (end.usage.prompt_tokens, end.usage.cached_tokens, end.usage.completion_tokens) == (8, 4, 20)


async def test_usage_of_many_samples_adds_up_to_the_servers_sum(open_backend: Open) -> None:
    async with open_backend() as backend:
        events = await draw(backend, TEXT.model_copy(update={"n": 3}))
    assert sum(end.usage.completion_tokens for end in ends(events)) == 60


async def test_leaving_a_stream_early_closes_it_on_the_server(
    open_backend: Open, openai_server: FakeOpenAIServer
) -> None:
    openai_server.chunk_delay_s = 0.05
    async with open_backend() as backend, contextlib.aclosing(backend.generate(TEXT)) as stream:
        await anext(stream)
    for _ in range(400):
        if openai_server.aborted:
            break
        await asyncio.sleep(0.01)
    assert openai_server.aborted == 1
