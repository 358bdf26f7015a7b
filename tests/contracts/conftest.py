"""What the contract suites share: a real Redis server, and a sandbox of every tier."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from sandbox_tiers import TIERS, scripted

from abaci.sandbox.base import Sandbox, Session


class RedisServer:
    """A real server in a folder of its own, with every write on disk before it is acknowledged."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = {
            "--port": str(self.port),
            "--bind": "127.0.0.1",
            "--dir": str(self._folder),
            "--logfile": "server.log",
            "--save": "",
            "--appendonly": "yes",
            "--appendfsync": "always",
        }
        command = ["redis-server", *(word for pair in options.items() for word in pair)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 15
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(64).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.stop()
                pytest.fail(f"redis-server did not start: {(self._folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        reason = "the program redis-server is not installed (Debian: `apt-get install redis-server`)"
        if os.environ.get("CI") and os.environ.get("ABACI_WAIVE_REDIS") != "1":
            pytest.fail(f"{reason}; CI must test it, unless ABACI_WAIVE_REDIS=1 waives that")
        pytest.skip(reason)
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=TIERS)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """A started sandbox that really runs programs."""
    async with TIERS[request.param]() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[*TIERS, "scripted"])
async def any_sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """A started sandbox, or the double."""
    async with TIERS.get(request.param, scripted)() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def session(sandbox: Sandbox) -> AsyncIterator[Session]:
    """A fresh session of `sandbox`."""
    async with sandbox.session() as opened:
        yield opened
