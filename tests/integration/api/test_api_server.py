from __future__ import annotations

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import httpx
import pytest

from abaci.api.app import create_app
from abaci.api.server import Address, running
from abaci.errors import SettingsError
from abaci.traces.memory import MemoryTraceStore

SERVER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import ObedientSolver
from abaci.api.app import create_app
from abaci.api.server import Address, serve
from abaci.traces.memory import MemoryTraceStore

async def main():
    solver = ObedientSolver(MemoryTraceStore())
    app = create_app(solver, solver.store)
    try:
        await serve(app, Address(port=0), shutdown_grace_s=1, on_ready=lambda url: print(url, flush=True))
    finally:
        print("closed", solver.released.is_set(), flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize(("number", "stream"), [(signal.SIGTERM, False), (signal.SIGINT, True)])
async def test_a_signal_ends_the_server_cancels_its_runs_and_lets_its_owner_close(
    number: signal.Signals, stream: bool
) -> None:
    command = [sys.executable, "-c", SERVER, str(Path(__file__).parent)]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            asking = asyncio.create_task(http.post("/v1/solve", json={"question": "hang", "stream": stream}))
            async with asyncio.timeout(20):
                while not (await http.get("/v1/runs")).json()["runs"]:  # noqa: ASYNC110 - another process's state
                    await asyncio.sleep(0.02)
            process.send_signal(number)
            answer = await asking
            out, err = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, out) == (0, b"closed True\n"), err.decode()
    assert b"Traceback" not in err
    assert "the service is stopping" in answer.text
    assert answer.status_code == (200 if stream else 503)


async def test_a_run_that_ends_within_the_grace_is_answered(solver) -> None:
    app = create_app(solver, solver.store)
    async with httpx.AsyncClient(timeout=30) as http:
        async with running(app, Address(port=0), shutdown_grace_s=20) as url:
            asking = asyncio.create_task(http.post(f"{url}/v1/solve", json={"question": "nap"}))
            await asyncio.wait_for(solver.started.wait(), 10)
        answer = await asking
    assert (answer.status_code, answer.json()["answer"]) == (200, "2")


async def test_an_address_in_use_is_an_error_that_names_it() -> None:
    app = create_app(None, MemoryTraceStore())  # type: ignore[arg-type]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: .*in use"):
            async with running(app, Address(port=port)):
                pass


async def test_an_address_that_is_none_is_an_error() -> None:
    app = create_app(None, MemoryTraceStore())  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="choose another host or port"):
        async with running(app, Address(host="no such host", port=0)):
            pass


def test_only_this_machine_can_reach_the_service_by_default() -> None:
    assert Address().host == "127.0.0.1"


async def test_the_port_is_free_again_when_the_server_has_stopped() -> None:
    app = create_app(None, MemoryTraceStore())  # type: ignore[arg-type]
    async with running(app, Address(port=0)) as url:
        port = int(url.rpartition(":")[2])
    async with running(app, Address(port=port)):
        pass


def test_the_log_goes_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    async def ask() -> None:
        async with running(create_app(None, MemoryTraceStore()), Address(port=0)) as url:  # type: ignore[arg-type]
            await asyncio.to_thread(httpx.get, f"{url}/health")

    asyncio.run(ask())
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "GET /health" in captured.err
