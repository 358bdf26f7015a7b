"""Fixtures for every test: a tiny language model, one vLLM engine a session, a server with the protocol of OpenAI."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))
# Read when torch is loaded, by whichever test comes first: the engine's threads must not spin on busy cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from openai_server import FakeOpenAIServer
from tiny_model import make_tiny_model

from abaci.backend.config import VllmConfig
from abaci.backend.vllm import VllmBackend


def pytest_configure(config: pytest.Config) -> None:
    # A slow machine is no failed property.
    settings.register_profile("abaci", deadline=None)
    settings.load_profile("abaci")
    # The engine's libraries warn about each other, from threads that no test owns.
    for module in (
        "vllm",
        "torch",
        "transformers",
        "compressed_tensors",
        "huggingface_hub",
        "xgrammar",
        "importlib._bootstrap",
    ):
        config.addinivalue_line("filterwarnings", f"ignore:::{module}")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a complete model with random weights and a context of 512 tokens."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def vllm_backend(tiny_model: Path) -> Iterator[VllmBackend]:
    """The session's only in-process engine, started, with the tiny model; usable from any event loop."""
    backend = VllmBackend(VllmConfig(model=str(tiny_model), dtype="float32", kv_cache_bytes=32 << 20))
    # A thread, since the test that comes first may be inside an event loop already; and this loop ends at once.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(backend.__aenter__())).result(300)
        yield backend
        pool.submit(lambda: asyncio.run(backend.__aexit__(None, None, None))).result(120)


@pytest.fixture
def openai_server() -> Iterator[FakeOpenAIServer]:
    """A real HTTP server on a free port with OpenAI's protocol, a scripted model and scripted faults."""
    with FakeOpenAIServer() as server:
        yield server
