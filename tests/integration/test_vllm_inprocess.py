"""vLLM in this process, beyond the contract: its cache, its chat template, its end token, its refusals."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from abaci.backend.base import (
    ChatMessage,
    ChatPrompt,
    FinishReason,
    GenerateEvent,
    GenerateRequest,
    SampleFinished,
    TextPrompt,
    TokenDelta,
    ToolSpec,
)
from abaci.backend.config import VllmConfig
from abaci.backend.vllm import VllmBackend
from abaci.errors import BackendRejected, ModelLoadError
from abaci.types import Sampling

pytestmark = pytest.mark.engine

QUESTION = "Let x be a number such that 3x + 4 = 19. " * 4


async def draw(backend: VllmBackend, request: GenerateRequest) -> list[GenerateEvent]:
    return [event async for event in backend.generate(request)]


def ids_of(events: list[GenerateEvent]) -> tuple[int, ...]:
    return tuple(token for event in events if isinstance(event, TokenDelta) for token in event.token_ids)


def end_of(events: list[GenerateEvent]) -> SampleFinished:
    [end] = [event for event in events if isinstance(event, SampleFinished)]
    return end


def continuing(ids: tuple[int, ...], text: str, **sampling: object) -> GenerateRequest:
    drawn = Sampling.model_validate({"temperature": 1.0, "top_p": 1.0, "seed": 5, "max_tokens": 20} | sampling)
    return GenerateRequest(prompt=TextPrompt(text=text, token_ids=ids), sampling=drawn)


async def test_a_sample_continued_by_appending_is_read_from_the_cache(vllm_backend: VllmBackend) -> None:
    prompt = vllm_backend.encode(QUESTION, is_start=True)
    assert prompt is not None
    first = await draw(vllm_backend, continuing(prompt, QUESTION))
    longer = (*prompt, *ids_of(first), *(vllm_backend.encode("\n55\n```\n") or ()))
    second = end_of(await draw(vllm_backend, continuing(longer, QUESTION)))
    pages = (len(prompt) + 20) // 32
    assert second.usage.cached_tokens >= 32 * (pages - 1) > 0


async def test_the_end_token_is_counted_but_not_among_the_ids(vllm_backend: VllmBackend, tiny_model: Path) -> None:
    prompt = vllm_backend.encode(QUESTION, is_start=True) or ()
    for seed in range(200):
        events = await draw(vllm_backend, continuing(prompt, QUESTION, seed=seed, max_tokens=64, temperature=1.5))
        if end_of(events).reason is FinishReason.STOP:
            break
    end_token = json.loads((tiny_model / "config.json").read_text())["eos_token_id"]
    assert end_of(events).stop is None
    assert end_token not in ids_of(events)
    assert end_of(events).usage.completion_tokens == len(ids_of(events)) + 1


async def test_greedy_drawing_needs_no_seed(vllm_backend: VllmBackend) -> None:
    prompt = vllm_backend.encode(QUESTION, is_start=True) or ()
    request = continuing(prompt, QUESTION, temperature=0.0, seed=None)
    assert ids_of(await draw(vllm_backend, request)) == ids_of(await draw(vllm_backend, request))


CHOICE = {
    "type": "object",
    "properties": {"choice": {"type": "integer", "enum": [1, 2, 3]}},
    "required": ["choice"],
    "additionalProperties": False,
}


async def test_samples_are_held_to_a_json_schema(vllm_backend: VllmBackend) -> None:
    prompt = vllm_backend.encode(QUESTION, is_start=True) or ()
    request = continuing(prompt, QUESTION, max_tokens=200, temperature=1.5).model_copy(
        update={"json_schema": CHOICE, "n": 3}
    )
    events = await draw(vllm_backend, request)
    for sample in range(3):
        pieces = [event.text for event in events if isinstance(event, TokenDelta) and event.sample == sample]
        # Without blanks, of which a weak model may write any number.
        assert "".join(pieces) in {'{"choice":1}', '{"choice":2}', '{"choice":3}'}


async def test_a_schema_without_a_grammar_is_left_out(vllm_backend: VllmBackend) -> None:
    prompt = vllm_backend.encode(QUESTION, is_start=True) or ()
    plain = continuing(prompt, QUESTION)
    held = plain.model_copy(update={"json_schema": {"type": "no such type"}})
    assert ids_of(await draw(vllm_backend, held)) == ids_of(await draw(vllm_backend, plain))
    refused = held.model_copy(update={"prompt": TextPrompt(text="", token_ids=(10**6,))})
    with pytest.raises(BackendRejected):
        await draw(vllm_backend, refused)


async def test_a_conversation_is_rendered_with_the_models_template(vllm_backend: VllmBackend) -> None:
    message = ChatMessage(role="user", content="2 + 2?")
    tool = ToolSpec(name="python", description="runs code", parameters={"type": "object"})
    request = GenerateRequest(prompt=ChatPrompt(messages=(message,), tools=(tool,)), sampling=Sampling(max_tokens=1))
    end = end_of(await draw(vllm_backend, request))
    rendered = "<tool>python</tool><user>2 + 2?</user>\n<assistant>"
    assert end.usage.prompt_tokens == len(vllm_backend.encode(rendered) or ())


@pytest.mark.parametrize("ids", [(), (5, 10**6), (5, -1), (5, 2**70)])
async def test_an_impossible_prompt_is_rejected_and_the_engine_goes_on(
    vllm_backend: VllmBackend, ids: tuple[int, ...]
) -> None:
    with pytest.raises(BackendRejected, match=r"vLLM refuses|not of this model"):
        await draw(vllm_backend, continuing(ids, ""))
    assert end_of(await draw(vllm_backend, continuing((5, 6), "ab"))).reason is FinishReason.LENGTH


async def test_requests_of_several_event_loops_are_served(vllm_backend: VllmBackend) -> None:
    request = continuing((5, 6, 7), "abc")
    here = await draw(vllm_backend, request)
    elsewhere = await asyncio.to_thread(lambda: asyncio.run(draw(vllm_backend, request)))
    assert ids_of(here) == ids_of(elsewhere)


async def test_a_second_engine_in_one_process_is_refused_with_advice(
    vllm_backend: VllmBackend, tiny_model: Path
) -> None:
    with pytest.raises(ModelLoadError, match='engine="async"'):
        await VllmBackend(VllmConfig(model=str(tiny_model))).__aenter__()


async def test_a_directory_without_weights_is_refused_before_anything_is_loaded(
    tiny_model: Path, tmp_path: Path
) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model / name, tmp_path)
    with pytest.raises(ModelLoadError, match="has no weights"):
        await VllmBackend(VllmConfig(model=str(tmp_path))).__aenter__()


WHOLE_LIFE = """
import asyncio, os, sys, threading
from abaci.backend.base import GenerateRequest, TextPrompt
from abaci.backend.config import VllmConfig
from abaci.backend.vllm import VllmBackend
from abaci.backend.vllm_environment import preload
from abaci.errors import ModelLoadError
from abaci.types import Sampling

broken, model = sys.argv[1:]

async def main():
    try:
        await VllmBackend(VllmConfig(model=broken)).__aenter__()
    except ModelLoadError as error:
        print("refused", error.__cause__ is not None)
    request = GenerateRequest(prompt=TextPrompt(text="abc"), sampling=Sampling(max_tokens=5, seed=1))
    stages = []
    config = VllmConfig(model=model, kv_cache_bytes=32 << 20)
    for _ in range(2):
        async with VllmBackend(config, on_progress=lambda stage, share: stages.append((stage, share))) as backend:
            events = [event async for event in backend.generate(request)]
        print("finished", events[-1].reason.value)
    print("stages", stages[0][0], "...", stages[-1])
    print("threads", [thread.name for thread in threading.enumerate()])

preload(VllmConfig(model=model))
asyncio.run(main())
"""


def test_an_engines_whole_life_leaves_nothing_behind(tiny_model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    (broken / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0not json")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", WHOLE_LIFE, str(broken), str(tiny_model)],
        env=os.environ | {"TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "refused True",
        "finished length",
        "finished length",
        "stages importing vLLM ... ('ready', 1.0)",
        "threads ['MainThread']",
    ], done.stderr
    assert [path.name for path in scratch.iterdir() if path.name.startswith("vllm")] == []
