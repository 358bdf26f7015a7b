"""Serve the application over HTTP."""

from __future__ import annotations

import asyncio
import copy
import math
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI
from pydantic import Field
from uvicorn.config import LOGGING_CONFIG

from abaci.api.live import CANCEL_TIMEOUT_S
from abaci.api.routes import service_of
from abaci.errors import SettingsError
from abaci.types import Value

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0


class Address(Value):
    """Where to listen; port 0: any free one. By default no other machine can reach it: there is no authentication."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)


async def serve(
    app: FastAPI,
    address: Address | None = None,
    *,
    shutdown_grace_s: float = 10.0,
    on_ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve `app` until SIGINT or SIGTERM; a second signal ends the process at once.

    Args:
        app: the application.
        address: where to listen.
        shutdown_grace_s: how long running requests may go on after the signal; then their runs are cancelled.
        on_ready: called with the service's URL when it listens.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    stop = asyncio.Event()
    with _stopping_signals(stop):
        async with running(app, address, shutdown_grace_s=shutdown_grace_s) as url:
            on_ready(url)
            await stop.wait()


@asynccontextmanager
async def running(
    app: FastAPI, address: Address | None = None, *, shutdown_grace_s: float = 10.0
) -> AsyncIterator[str]:
    """Serve `app` within the context; gives the service's URL. Parameters and errors are those of `serve`."""
    listener = _listen(address or Address())
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=_log_config(),
        # The last resort only: the runs are cancelled before.
        timeout_graceful_shutdown=math.ceil(shutdown_grace_s + CANCEL_TIMEOUT_S),
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="server")
    try:
        await _until_started(server, serving)
        host, port = listener.getsockname()[:2]
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        server.should_exit = True
        await asyncio.wait({serving}, timeout=shutdown_grace_s)
        service_of(app).live.cancel()
        await asyncio.wait({serving}, timeout=CANCEL_TIMEOUT_S + STOP_TIMEOUT_S)
        listener.close()


class _Server(uvicorn.Server):
    """A server that leaves signals to `serve`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises a signal again once it has stopped, which would end the process before the solver is closed.
        yield


async def _until_started(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while not server.started:
            if serving.done():
                raise SettingsError("the server stopped while it started; the log says why")
            await asyncio.sleep(0.01)


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {address.host} port {address.port}: {error}; choose another host or port"
        ) from error


@contextmanager
def _stopping_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def on_signal() -> None:
        stop.set()
        # From here on a signal has its usual effect.
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _log_config() -> dict[str, object]:
    """uvicorn's own, but all on standard error: standard output is for results."""
    config = copy.deepcopy(LOGGING_CONFIG)
    config["handlers"]["access"]["stream"] = "ext://sys.stderr"
    return dict(config)
