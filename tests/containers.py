"""Container sandboxes for tests, from a real Docker engine and an image built once a run.

Where no engine answers, or it has no gVisor, a test that asks for one is skipped with the reason; in CI it fails,
unless `ABACI_WAIVE_DOCKER=1` or `ABACI_WAIVE_GVISOR=1` says that it may be missing there.
"""

from __future__ import annotations

import functools
import os

import pytest

from abaci.errors import SandboxUnavailable
from abaci.sandbox.config import DockerConfig, GvisorConfig
from abaci.sandbox.container.engine import Engine
from abaci.sandbox.container.image import Origin, build_image
from abaci.sandbox.container.sandbox import DockerSandbox, GvisorSandbox

KINDS = ("docker", "gvisor")


def make_docker(**sizes: float) -> DockerSandbox:
    """The docker tier, not started."""
    need("docker")
    return DockerSandbox(DockerConfig.model_validate(sizes))


def make_gvisor(**sizes: float) -> GvisorSandbox:
    """The gvisor tier, not started."""
    need("gvisor")
    return GvisorSandbox(GvisorConfig.model_validate(sizes))


def need(kind: str) -> None:
    """Skip or fail the test that runs, where the tier `kind` cannot work on this machine."""
    reason = _obstacle(kind)
    if reason is None:
        return
    waiver = "ABACI_WAIVE_DOCKER" if kind == "docker" or os.environ.get("ABACI_WAIVE_DOCKER") else "ABACI_WAIVE_GVISOR"
    if os.environ.get("CI") and os.environ.get(waiver) != "1":
        pytest.fail(f"{reason}; CI must test it, unless {waiver}=1 waives that")
    pytest.skip(reason)


@functools.cache
def _obstacle(kind: str) -> str | None:
    """Why the tier cannot work here, None where it can; builds the image where it is absent."""
    try:
        with Engine() as engine:
            if kind == "gvisor" and "runsc" not in engine.runtimes():
                return "the Docker engine has no runtime runsc (gVisor)"
            build_image(engine, Origin.LOCAL, lambda _: None)
    except SandboxUnavailable as error:
        return str(error)
    return None
