"""The bundled model in vLLM: the same greedy tokens as our own implementation gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from training.chat import prompt
from training.generate import Decoding, complete, load

NANO = Path(__file__).resolve().parents[2] / "abaci" / "backend" / "nano"
START_S = 170
QUESTIONS = (
    "What is 12 + 30?",
    "Compute 17*23",
    "Tom has 15 apples. He gives 4 apples to Anna. How many apples does Tom have left?",
    "Find the derivative of 3x^2 + 2x.",
)
# In a process of its own: one process holds one engine, and other tests have theirs.
SCRIPT = """
import asyncio, json, sys
from abaci.backend.base import GenerateRequest, TextPrompt, TokenDelta
from abaci.backend.config import VllmConfig
from abaci.backend.vllm import VllmBackend
from abaci.types import Sampling

async def main(model, prompts):
    config = VllmConfig(model=model, dtype="float32", kv_cache_bytes=64 << 20)
    replies = []
    async with VllmBackend(config) as backend:
        for text in prompts:
            ids = backend.encode(text, is_start=True)
            sampling = Sampling(temperature=0.0, top_p=1.0, max_tokens=48)
            given = TextPrompt(text=text, token_ids=ids)
            request = GenerateRequest(prompt=given, sampling=sampling, stop=("```output",))
            reply = []
            async for event in backend.generate(request):
                if isinstance(event, TokenDelta):
                    reply += event.token_ids
            replies.append({"prompt": list(ids), "reply": reply})
    print("REPLIES", json.dumps(replies))

asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
"""


@pytest.mark.engine
@pytest.mark.timeout(200)
def test_vllm_gives_the_same_greedy_tokens() -> None:
    prompts = [prompt(question) for question in QUESTIONS]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(NANO), json.dumps(prompts)],
        capture_output=True,
        text=True,
        timeout=START_S,
        env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("REPLIES ")]
    assert lines, done.stderr[-3000:]
    found = json.loads(lines[0].removeprefix("REPLIES "))
    loaded = load(NANO)
    for text, theirs in zip(prompts, found, strict=True):
        ids = loaded.tokenizer.encode(text).ids
        assert theirs["prompt"] == ids
        ours = complete(loaded, [ids], Decoding(max_tokens=48))[0]
        # An engine may keep its end-of-sequence token to itself.
        assert theirs["reply"] in (ours, ours[:-1])
