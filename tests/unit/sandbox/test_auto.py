"""Which tier a configuration opens; with user namespaces really switched off for the fallback."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pydantic import TypeAdapter, ValidationError

from abaci.sandbox.auto import open_sandbox
from abaci.sandbox.config import AutoSandboxConfig, BubblewrapConfig, LandlockConfig, SandboxConfig

adapter: TypeAdapter[SandboxConfig] = TypeAdapter(SandboxConfig)


@pytest.mark.parametrize(
    ("kind", "model"), [("auto", AutoSandboxConfig), ("bubblewrap", BubblewrapConfig), ("landlock", LandlockConfig)]
)
def test_the_kind_chooses_the_config(kind: str, model: type) -> None:
    assert type(adapter.validate_python({"kind": kind, "spares": 1})) is model


@pytest.mark.parametrize(
    "config", [{"kind": "none"}, {}, {"kind": "auto", "max_sessions": 0}, {"kind": "auto", "x": 1}]
)
def test_a_bad_config_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        adapter.validate_python(config)


@pytest.mark.parametrize("config", [BubblewrapConfig(), LandlockConfig()])
async def test_a_named_tier_is_opened(config: SandboxConfig) -> None:
    async with open_sandbox(config) as sandbox, sandbox.session() as session:
        assert sandbox.tier == config.kind
        assert (await session.execute("1 + 1")).result == "2"


async def test_auto_takes_the_strongest_tier() -> None:
    async with open_sandbox(AutoSandboxConfig()) as sandbox:
        assert sandbox.tier == "bubblewrap"


PROBE = """
import asyncio, json, logging
from abaci.errors import SandboxUnavailable
from abaci.sandbox.auto import open_sandbox
from abaci.sandbox.config import AutoSandboxConfig, BubblewrapConfig

logging.basicConfig()

async def tier(config):
    try:
        async with open_sandbox(config) as sandbox, sandbox.session() as session:
            return [sandbox.tier, (await session.execute("1 + 1")).result]
    except SandboxUnavailable as error:
        return str(error)

async def main():
    print(json.dumps([await tier(BubblewrapConfig()), await tier(AutoSandboxConfig())]))

asyncio.run(main())
"""


def test_without_user_namespaces_auto_falls_back_and_says_so() -> None:
    # In a user namespace of its own the limit can be set to none, for this command and its children alone.
    shell = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", shell, "sh", sys.executable, "-c", PROBE]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    alone, auto = json.loads(finished.stdout)
    assert alone.startswith("the bubblewrap sandbox could not start: bwrap: ")
    assert alone.endswith("allow them, or choose the landlock sandbox")
    assert auto == ["landlock", "2"]
    assert "programs run in the weaker landlock sandbox, because: the bubblewrap sandbox could not" in finished.stderr
