"""A session as the kernel describes it to the host, where no program can lie about it."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from attack_tiers import TIERS

from abaci.sandbox.base import Sandbox

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.only_on(*(name for name, tier in TIERS.items() if "linux" in tier.has)),
]


@pytest_asyncio.fixture(loop_scope="module")
async def process(sandbox: Sandbox) -> AsyncIterator[Path]:
    """The folder in /proc of a session's process, which is found by a name that a program gave it."""
    name = secrets.token_hex(6)
    async with sandbox.session() as session:
        await session.execute(f"import ctypes; ctypes.CDLL(None).prctl(15, b'{name}')")
        yield find_process(name)


def find_process(name: str) -> Path:
    return next(folder for folder in Path("/proc").glob("[0-9]*") if read(folder / "comm") == f"{name}\n")


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # It has ended meanwhile.
        return ""


def status_of(process: Path) -> dict[str, str]:
    return dict(re.findall(r"^(\w+):\t(.*)$", (process / "status").read_text(), re.MULTILINE))


async def test_a_session_has_no_capability_and_cannot_gain_any(process: Path) -> None:
    status = status_of(process)
    assert [status[f"Cap{which}"] for which in ("Inh", "Prm", "Eff", "Amb")] == ["0" * 16] * 4
    assert status["NoNewPrivs"] == "1"


async def test_a_session_is_under_a_filter_of_system_calls(process: Path) -> None:
    assert status_of(process)["Seccomp"] == "2"


async def test_a_session_shares_no_memory_that_can_be_written(process: Path) -> None:
    maps = (process / "maps").read_text().splitlines()
    assert len(maps) > 100
    assert [line for line in maps if re.match(r"\S+ .w.s ", line)] == []


async def test_a_session_holds_nothing_but_its_own_descriptors(process: Path) -> None:
    descriptors = {int(link.name): link for link in (process / "fd").iterdir()}
    kinds = {number: stat.S_IFMT(os.stat(link).st_mode) for number, link in descriptors.items()}
    pipe, device, socket = stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK
    assert kinds == {0: device, 1: pipe, 2: pipe, 60: socket, 61: pipe, 62: device}
    assert {os.readlink(descriptors[number]) for number in (0, 62)} == {"/dev/null"}


async def test_a_session_has_limits_on_everything_that_can_run_out(process: Path) -> None:
    rows = re.findall(r"^(Max [a-z ]+?) {2,}(\S+) +(\S+)", (process / "limits").read_text(), re.MULTILINE)
    hard = {name: limit for name, _, limit in rows}
    assert hard["Max core file size"] == hard["Max locked memory"] == hard["Max msgqueue size"] == "0"
    assert int(hard["Max address space"]) < 4 << 30
    assert int(hard["Max open files"]) <= 64
    assert int(hard["Max processes"]) <= 64
    assert int(hard["Max file size"]) <= 64 << 20


@pytest.mark.only_on(*(name for name, tier in TIERS.items() if "processes" in tier.has))
async def test_a_session_is_the_only_process_of_its_world(process: Path) -> None:
    status = status_of(process)
    assert "0" not in status["Uid"].split()
    assert status["NSpid"].split()[-1] == "1"
    for kind in ("pid", "net", "mnt", "user", "ipc", "uts"):
        assert os.readlink(process / "ns" / kind) != os.readlink(f"/proc/self/ns/{kind}")


async def test_a_session_knows_no_environment_of_the_host(process: Path) -> None:
    environment = (process / "environ").read_text()
    assert "ABACI_API_KEY" not in environment
    assert "PATH=" in environment


async def test_sessions_do_not_share_a_network_with_each_other_and_the_host(sandbox: Sandbox, process: Path) -> None:
    if "processes" in TIERS[sandbox.tier].has:
        devices = (process / "net" / "dev").read_text().splitlines()[2:]
        assert [line.split(":")[0].strip() for line in devices] == ["lo"]
    else:
        # It has the host's network, and no way to use it: no socket but the channel.
        links = [os.readlink(link) for link in (process / "fd").iterdir()]
        assert sum(link.startswith("socket:") for link in links) == 1
