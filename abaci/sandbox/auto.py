"""Open the sandbox that a configuration asks for."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from abaci.errors import SandboxUnavailable
from abaci.sandbox.base import Sandbox
from abaci.sandbox.bubblewrap import BubblewrapSandbox
from abaci.sandbox.config import (
    AutoSandboxConfig,
    BubblewrapConfig,
    DockerConfig,
    GvisorConfig,
    LandlockConfig,
    SandboxConfig,
)
from abaci.sandbox.landlock import LandlockSandbox

_log = logging.getLogger(__name__)


@asynccontextmanager
async def open_sandbox(config: SandboxConfig) -> AsyncIterator[Sandbox]:
    """The sandbox of `config`, started; with `kind="auto"` the strongest tier that works here.

    Raises:
        SandboxUnavailable: the chosen tier, or every tier, does not work here; the message says what to do.
    """
    match config:
        case BubblewrapConfig():
            async with BubblewrapSandbox(config) as sandbox:
                yield sandbox
        case LandlockConfig():
            async with LandlockSandbox(config) as sandbox:
                yield sandbox
        case DockerConfig() | GvisorConfig():
            async with _make_container_sandbox(config) as sandbox:
                yield sandbox
        case AutoSandboxConfig():
            async with AsyncExitStack() as stack:
                yield await _start_strongest(stack, config)


def _make_container_sandbox(config: DockerConfig | GvisorConfig) -> Sandbox:
    try:
        from abaci.sandbox.container.sandbox import DockerSandbox, GvisorSandbox
    except ModuleNotFoundError as error:
        raise SandboxUnavailable(f"the {config.kind} sandbox needs docker-py: pip install 'abaci[docker]'") from error
    return DockerSandbox(config) if isinstance(config, DockerConfig) else GvisorSandbox(config)


async def _start_strongest(stack: AsyncExitStack, config: AutoSandboxConfig) -> Sandbox:
    sizes = config.model_dump(exclude={"kind"})
    try:
        return await stack.enter_async_context(BubblewrapSandbox(BubblewrapConfig(**sizes)))
    except SandboxUnavailable as error:
        first = error
    try:
        sandbox = await stack.enter_async_context(LandlockSandbox(LandlockConfig(**sizes)))
    except SandboxUnavailable as second:
        raise SandboxUnavailable(f"no sandbox works on this machine. {first} {second}") from second
    _log.warning("programs run in the weaker landlock sandbox, because: %s", first)
    return sandbox
