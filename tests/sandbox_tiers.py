"""Every isolation tier, made small for tests, and the scripted double."""

from __future__ import annotations

from collections.abc import Callable

from containers import make_docker, make_gvisor

from abaci.sandbox.base import Sandbox
from abaci.sandbox.bubblewrap import BubblewrapSandbox
from abaci.sandbox.config import BubblewrapConfig, LandlockConfig
from abaci.sandbox.landlock import LandlockSandbox
from abaci.sandbox.scripted import ScriptedSandbox
from abaci.types import Execution, ExecutionStatus

SIZES = {"max_sessions": 4, "wait_s": 2.0}
TIERS: dict[str, Callable[[], Sandbox]] = {
    "bubblewrap": lambda: BubblewrapSandbox(BubblewrapConfig(**SIZES)),
    "landlock": lambda: LandlockSandbox(LandlockConfig(**SIZES)),
    "docker": lambda: make_docker(**SIZES),
    # On a busy machine its kernel takes seconds for a fork.
    "gvisor": lambda: make_gvisor(**{**SIZES, "wait_s": 10.0}),
}


def scripted() -> ScriptedSandbox:
    """The double: it answers a program with its own text."""
    return ScriptedSandbox(lambda code: Execution(status=ExecutionStatus.OK, stdout=code), max_sessions=4, wait_s=0.2)
