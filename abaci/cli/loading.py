"""Load the parts of abaci that are slow to import, without holding up the event loop."""

from __future__ import annotations

import gc
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Final

from abaci.backend.own_thread import OwnThread

if TYPE_CHECKING:
    from abaci.sdk import Solver
    from abaci.settings import Settings
    from abaci.traces.base import TraceStore

IMPORT_TIMEOUT_S: Final = 120.0
"""Of a cold disk on a busy machine."""


async def load_in_background(module: str) -> ModuleType:
    """The module called `module`, imported on a thread: meanwhile views go on and Ctrl-C works."""
    return await OwnThread(f"import {module}", lambda: import_module(module)).result(IMPORT_TIMEOUT_S)


async def load_solver() -> type[Solver]:
    """The class `abaci.sdk.Solver`; its imports take a second or more."""
    await load_in_background("abaci.sdk")
    from abaci.sdk import Solver

    # These modules last as long as the process: the garbage collector need not look through them again and again.
    gc.freeze()

    return Solver


async def load_traces(settings: Settings) -> TraceStore:
    """The trace store of `settings`, to be opened with `async with`."""
    await load_in_background("abaci.app")
    from abaci.app import make_traces

    return make_traces(settings.traces)
