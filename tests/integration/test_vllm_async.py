"""vLLM in processes of its own: it generates, aborts, and leaves no process behind, however its owner ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

GONE_WITHIN_S = 30.0

OWNER = """
import asyncio, contextlib, os, signal, sys
import psutil
from abaci.backend.base import GenerateRequest, SampleFinished, TextPrompt
from abaci.backend.config import VllmConfig
from abaci.backend.vllm import VllmBackend
from abaci.types import Sampling

async def main(model, ending):
    backend = VllmBackend(VllmConfig(model=model, engine="async", dtype="float32", kv_cache_bytes=32 << 20))
    async with backend:
        def request(tokens):
            prompt = TextPrompt(text="abc", token_ids=backend.encode("abc"))
            return GenerateRequest(prompt=prompt, n=2, sampling=Sampling(max_tokens=tokens, seed=1))

        events = [event async for event in backend.generate(request(20))]
        print("samples", sum(isinstance(event, SampleFinished) for event in events))

        async def read():
            async for _ in backend.generate(request(480)):
                started.set()
        started = asyncio.Event()
        task = asyncio.create_task(read())
        await started.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        engine = backend._driver._engine
        for _ in range(1000):
            if engine.get_num_unfinished_requests() == 0:
                break
            await asyncio.sleep(0.01)
        print("unfinished", engine.get_num_unfinished_requests())
        print("children", *[child.pid for child in psutil.Process().children(recursive=True)], flush=True)
        if ending == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    left = psutil.Process().children(recursive=True)
    print("left", [child.pid for child in left if "resource_tracker" not in str(child.cmdline())])

if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def owner(tmp_path: Path) -> Path:
    # A file, since the engine's processes import the main module again.
    path = tmp_path / "owner.py"
    path.write_text(OWNER)
    return path


def run(owner: Path, model: Path, ending: str) -> tuple[dict[str, list[str]], subprocess.CompletedProcess[str]]:
    done: Any = subprocess.run(
        [sys.executable, str(owner), str(model), ending], capture_output=True, text=True, timeout=500, check=False
    )
    return {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}, done


def alive(pids: list[str]) -> list[int]:
    """Those of `pids` that still run after a generous wait."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while time.monotonic() < deadline:
        running = [int(pid) for pid in pids if psutil.pid_exists(int(pid)) and int(pid) != os.getpid()]
        if not running:
            return []
        time.sleep(0.2)
    return running


def test_a_cancelled_request_is_aborted_and_closing_leaves_no_process(owner: Path, tiny_model: Path) -> None:
    said, done = run(owner, tiny_model, "closed")
    assert (said["samples"], said["unfinished"], said["left"]) == (["2"], ["0"], ["[]"]), done.stderr
    assert done.returncode == 0
    assert len(said["children"]) >= 2
    assert alive(said["children"]) == []


def test_the_engines_processes_die_with_an_owner_that_is_killed(owner: Path, tiny_model: Path) -> None:
    said, done = run(owner, tiny_model, "killed")
    assert done.returncode == -9, done.stderr
    assert len(said["children"]) >= 2
    assert alive(said["children"]) == []
