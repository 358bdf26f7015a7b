"""The sandbox as root and as an ordinary user: the two ways to set its user namespace up."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import abaci

NOBODY = 65534
PROJECT = Path(abaci.__file__).parents[1]

PROGRAM = """
import asyncio, json
from abaci.sandbox.bubblewrap import BubblewrapSandbox
from abaci.sandbox.config import BubblewrapConfig, LandlockConfig
from abaci.sandbox.landlock import LandlockSandbox

async def run(sandbox):
    async with sandbox, sandbox.session() as session:
        code = "import os\\nfrom sympy import *\\n(os.getuid(), solve(Symbol('x')**2 - 4))"
        return (await session.execute(code)).result

async def main():
    tiers = [BubblewrapSandbox(BubblewrapConfig()), LandlockSandbox(LandlockConfig())]
    print(json.dumps([await run(sandbox) for sandbox in tiers]))

asyncio.run(main())
"""


def interpreter_for(user: int) -> str | None:
    """A Python of our version that `user` may run; on many machines root's own is closed to others."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for path in (os.path.realpath(sys.executable), f"/usr/bin/{name}", shutil.which(name)):
        if path is None or not os.path.exists(path):
            continue
        try:
            subprocess.run([path, "-c", "import ctypes"], user=user, check=True, capture_output=True, cwd="/", env={})
        except (OSError, subprocess.CalledProcessError):
            continue
        return path
    return None


def run_as(user: int, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `command` as `user` and the group of that number, with nothing else."""
    return subprocess.run(
        command,
        user=user,
        group=user,
        extra_groups=[],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: every other test already runs as an ordinary user")
def test_an_ordinary_user_has_both_tiers() -> None:
    python = interpreter_for(NOBODY)
    if python is None or not os.access(PROJECT, os.X_OK):
        pytest.skip("there is no interpreter of this version that another user may run")
    libraries = importlib.util.find_spec("pydantic")
    assert libraries is not None
    assert libraries.origin is not None
    # Not below pytest's own folder, which is closed to other users.
    with tempfile.TemporaryDirectory() as cache:
        os.chown(cache, NOBODY, NOBODY)
        environment = {"PYTHONPATH": f"{PROJECT}:{Path(libraries.origin).parents[1]}", "XDG_CACHE_HOME": cache}
        finished = run_as(NOBODY, [python, "-c", PROGRAM], environment)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout) == [f"({NOBODY}, [-2, 2])"] * 2


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: there is no privilege to give up")
def test_as_root_programs_run_as_somebody_else() -> None:
    finished = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True)
    bubblewrap, _ = json.loads(finished.stdout)
    assert bubblewrap == "(1, [-2, 2])"
