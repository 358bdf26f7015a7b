"""The scripted backend beyond the contract: its script, its faults, its book-keeping."""

from __future__ import annotations

import asyncio

import pytest

from abaci.backend.base import (
    FinishReason,
    GenerateEvent,
    GenerateRequest,
    SampleFinished,
    TextPrompt,
    TokenDelta,
    ToolCall,
)
from abaci.backend.config import ScriptedConfig
from abaci.backend.scripted import START_TOKEN_ID, ScriptedBackend, ScriptedReply
from abaci.errors import BackendRejected, BackendUnavailable
from abaci.types import Sampling

REQUEST = GenerateRequest(prompt=TextPrompt(text="2 + 2 = "))


async def draw(backend: ScriptedBackend, request: GenerateRequest = REQUEST) -> list[GenerateEvent]:
    return [event async for event in backend.generate(request)]


async def text_of(backend: ScriptedBackend, request: GenerateRequest = REQUEST) -> str:
    return "".join(event.text for event in await draw(backend, request) if isinstance(event, TokenDelta))


async def test_replies_are_handed_out_in_order() -> None:
    backend = ScriptedBackend(["one", "two"])
    assert [await text_of(backend), await text_of(backend)] == ["one", "two"]


async def test_a_script_that_ran_out_refuses_and_says_so() -> None:
    with pytest.raises(BackendRejected, match="only 1 replies"):
        await draw(ScriptedBackend(["one"]), REQUEST.model_copy(update={"n": 2}))


async def test_a_callable_sees_the_request() -> None:
    backend = ScriptedBackend(lambda request: request.prompt.text[::-1])
    assert await text_of(backend) == REQUEST.prompt.text[::-1]


async def test_a_whole_reply_is_one_delta() -> None:
    events = await draw(ScriptedBackend(["one"]))
    assert [event.kind for event in events] == ["delta", "finished"]


async def test_pieces_are_as_long_as_asked_for() -> None:
    events = await draw(ScriptedBackend(["abcdefg"], piece_chars=3))
    assert [event.text for event in events if isinstance(event, TokenDelta)] == ["abc", "def", "g"]


async def test_an_empty_reply_has_no_delta() -> None:
    [finished] = await draw(ScriptedBackend([""]))
    assert isinstance(finished, SampleFinished)
    assert finished.reason is FinishReason.STOP


async def test_a_scripted_error_is_raised() -> None:
    backend = ScriptedBackend([ScriptedReply(error=BackendUnavailable("the power went out"))])
    with pytest.raises(BackendUnavailable, match="the power went out"):
        await draw(backend)
    assert (backend.running, backend.aborted) == (0, 0)


async def test_a_scripted_drop_breaks_the_stream_after_its_characters() -> None:
    backend = ScriptedBackend([ScriptedReply("abcdef", drop_after_chars=4)])
    stream = backend.generate(REQUEST)
    delta = await anext(stream)
    assert isinstance(delta, TokenDelta)
    assert delta.text == "abcd"
    with pytest.raises(BackendUnavailable, match="dropped the stream"):
        await anext(stream)


async def test_tool_calls_finish_a_sample_for_that_reason() -> None:
    call = ToolCall(id="1", name="python", arguments="{}")
    events = await draw(ScriptedBackend([ScriptedReply("", tool_calls=(call,))]))
    assert events[-1] == SampleFinished(
        reason=FinishReason.TOOL_CALLS,
        tool_calls=(call,),
        usage=events[-1].usage,  # type: ignore[union-attr]
    )


async def test_a_stop_string_behind_the_token_limit_does_not_count() -> None:
    request = REQUEST.model_copy(update={"stop": ("f",), "sampling": Sampling(max_tokens=3)})
    events = await draw(ScriptedBackend(["abcdef"]), request)
    assert isinstance(events[-1], SampleFinished)
    assert (events[-1].reason, events[-1].stop) == (FinishReason.LENGTH, None)


async def test_every_request_is_recorded() -> None:
    backend = ScriptedBackend(["one"])
    await draw(backend)
    assert backend.requests == [REQUEST]


async def test_a_request_left_early_counts_as_aborted() -> None:
    backend = ScriptedBackend(["abc"], piece_chars=1)
    stream = backend.generate(REQUEST)
    await anext(stream)
    assert (backend.running, backend.aborted) == (1, 0)
    await stream.aclose()
    assert (backend.running, backend.aborted) == (0, 1)


async def test_a_finished_request_is_not_aborted() -> None:
    backend = ScriptedBackend(["abc"])
    await draw(backend)
    assert (backend.running, backend.aborted) == (0, 0)


async def test_closing_ends_a_request_that_waits() -> None:
    backend = ScriptedBackend([ScriptedReply("abc", latency_s=600.0)])
    async with asyncio.timeout(20):
        async with backend:
            task = asyncio.create_task(draw(backend))
            await asyncio.sleep(0)
            assert backend.running == 1
        with pytest.raises(BackendUnavailable, match="closed"):
            await task


async def test_the_start_token_is_counted_but_has_no_text() -> None:
    backend = ScriptedBackend([""])
    ids = backend.encode("ab", is_start=True)
    assert ids == (START_TOKEN_ID, 97, 98)
    assert backend.decode(ids) == "ab"


async def test_a_configured_script_starts_over() -> None:
    backend = ScriptedBackend.from_config(ScriptedConfig(replies=("a", "b")))
    assert [await text_of(backend) for _ in range(3)] == ["a", "b", "a"]
