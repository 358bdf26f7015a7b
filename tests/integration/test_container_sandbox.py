"""The Docker tiers on a real engine: what the container is like, and that none is ever left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import pytest_asyncio
from click.testing import CliRunner
from containers import KINDS, make_docker, make_gvisor, need
from docker.utils import kwargs_from_env

from abaci.cli import cli
from abaci.cli.probes import Finding, check_sandbox
from abaci.errors import SandboxError, SandboxUnavailable
from abaci.sandbox.auto import open_sandbox
from abaci.sandbox.base import Limits, Sandbox
from abaci.sandbox.config import DockerConfig, GvisorConfig
from abaci.sandbox.container import owner
from abaci.sandbox.container.engine import ContainerSpec, Engine
from abaci.sandbox.container.image import image_tag
from abaci.settings import Settings
from abaci.types import ExecutionStatus

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAKERS: dict[str, Callable[..., Sandbox]] = {"docker": make_docker, "gvisor": make_gvisor}
GONE_S = 15.0


@pytest.fixture
def engine() -> Iterator[Engine]:
    need("docker")
    with Engine() as connection:
        yield connection


@pytest.fixture
def raw_engine() -> Iterator[docker.APIClient]:
    """The engine without our own layer over it."""
    need("docker")
    client = docker.APIClient(**kwargs_from_env(), version="auto")
    yield client
    client.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """A started tier, with a container of its own."""
    async with MAKERS[request.param](max_sessions=3, spares=0) as started:
        yield started


def ours(engine: Engine) -> set[str]:
    """The containers of this process."""
    return set(engine.containers(owner.this_process()))


async def gone(engine: Engine, label: str) -> bool:
    """Whether the containers that belong to `label` disappear in time."""
    deadline = asyncio.get_running_loop().time() + GONE_S
    while engine.containers(label):
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


# --- the container ----------------------------------------------------------------------------------------------------


async def test_the_container_is_hardened(sandbox: Sandbox, engine: Engine, raw_engine: docker.APIClient) -> None:
    (container,) = ours(engine)
    details: dict[str, Any] = raw_engine.inspect_container(container)
    host = details["HostConfig"]
    assert details["Config"]["User"] == "65534:65534"
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"]) == ("none", True, ["ALL"])
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert 0 < host["PidsLimit"] <= 64
    assert 0 < host["Memory"] == host["MemorySwap"]
    assert host["NanoCpus"] > 0
    assert host["AutoRemove"]
    assert not host["Privileged"]
    assert all(mount["RW"] is False for mount in details["Mounts"])


async def test_no_file_of_the_host_can_be_seen(sandbox: Sandbox) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="abaci-canary-", dir="/tmp") as canary:
        canary.write("secret")
        canary.flush()
        os.chmod(canary.name, 0o644)
        paths = [canary.name, __file__, str(Path.home()), "/etc/passwd", "/var/run/docker.sock", "/proc/1/environ"]
        async with sandbox.session() as session:
            code = f"found = []\nfor path in {paths!r}:\n    try: open(path, 'rb'); found.append(path)\n"
            code += "    except OSError: pass\nfound"
            assert (await session.execute(code)).result == "[]"


async def test_nothing_can_be_written_anywhere(sandbox: Sandbox) -> None:
    code = """
import os
written = []
for folder in ["/", "/tmp", "/dev", "/dev/shm", "/dev/mqueue", "/run", "/run/abaci", "/usr", "/etc", "/proc", "/opt"]:
    try:
        os.close(os.open(folder + "/left", os.O_CREAT | os.O_WRONLY))
        written.append(folder)
    except OSError:
        pass
written
"""
    async with sandbox.session() as session:
        assert (await session.execute(code)).result == "[]"


async def test_sessions_do_not_see_each_others_processes(sandbox: Sandbox) -> None:
    async with sandbox.session() as victim, sandbox.session() as spy:
        pid = (await victim.execute("import os\nos.getpid()")).result
        code = (
            f"found = []\nfor name in ('mem', 'environ', 'maps', 'fd/1', 'cmdline'):\n    try: open('/proc/{pid}/' + "
        )
        code += "name, 'rb').read(1); found.append(name)\n    except OSError: pass\nfound"
        assert (await spy.execute(code)).result == "[]"


# --- none is left -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_closing_leaves_no_container(kind: str, engine: Engine) -> None:
    before = ours(engine)
    async with MAKERS[kind](spares=1) as sandbox, sandbox.session() as session:
        await session.execute("1")
        assert len(ours(engine) - before) == 1
    assert ours(engine) == before


@pytest.mark.parametrize("kind", KINDS)
async def test_a_failed_start_leaves_no_container(kind: str, engine: Engine) -> None:
    before = ours(engine)
    with pytest.raises(SandboxUnavailable, match="was not ready within"):
        await MAKERS[kind](start_s=0.2).__aenter__()
    assert ours(engine) == before


HOST = """
import asyncio, sys
from pydantic import TypeAdapter
from abaci.sandbox.auto import open_sandbox
from abaci.sandbox.base import Limits
from abaci.sandbox.config import SandboxConfig

async def main():
    config = TypeAdapter(SandboxConfig).validate_python({"kind": sys.argv[1]})
    async with open_sandbox(config) as sandbox, sandbox.session() as session:
        print("running", flush=True)
        await session.execute("while True: pass", Limits(timeout_s=500))

asyncio.run(main())
"""


def start_host(kind: str, folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.Popen([sys.executable, "-c", HOST, kind], stdout=subprocess.PIPE, env=environment)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_keeper_killed", [False, True], ids=["host", "host and keeper"])
async def test_a_killed_host_leaves_no_container(
    kind: str, is_keeper_killed: bool, engine: Engine, tmp_path: Path
) -> None:
    need(kind)
    with start_host(kind, tmp_path) as host:
        assert host.stdout is not None
        try:
            assert await asyncio.to_thread(host.stdout.readline) == b"running\n"
            label = owner.this_process(host.pid)
            assert len(engine.containers(label)) == 1
            keepers = children(host.pid)
            assert len(keepers) == 1
        finally:
            host.kill()
        if is_keeper_killed:
            os.kill(keepers[0], signal.SIGKILL)
    assert await gone(engine, label)
    assert os.listdir(tmp_path) == []


@pytest.fixture
def stray(engine: Engine) -> Iterator[Callable[[str], str]]:
    """Makes a container that belongs to whom one says, as a host that was killed between two requests leaves it."""
    made: list[str] = []

    def make(belongs_to: str) -> str:
        spec = ContainerSpec(image_tag(), ["/usr/local/bin/python3"], "runc", 256 << 20, 8, 1.0, {}, has_stdin=False)
        made.append(engine.create(spec, belongs_to))
        return made[-1]

    yield make
    for container in made:
        engine.remove(container)


def dead_process() -> str:
    with subprocess.Popen(["sleep", "60"]) as process:
        label = owner.this_process(process.pid)
        process.kill()
    return label


async def test_containers_of_dead_owners_are_removed_at_the_next_start(
    engine: Engine, stray: Callable[[str], str]
) -> None:
    orphan, kept = stray(dead_process()), stray(owner.this_process())
    async with make_docker(spares=0):
        assert orphan not in engine.containers()
        assert kept in engine.containers()


# --- trouble ----------------------------------------------------------------------------------------------------------


async def test_all_sessions_together_are_held_to_one_amount_of_memory() -> None:
    fill = "import os\nx = bytearray(os.urandom(1 << 20) * 300)\nlen(x) >> 20"
    async with make_docker(total_memory_bytes=768 << 20, spares=0) as sandbox:
        async with sandbox.session() as one, sandbox.session() as two, sandbox.session() as three:
            executions = [await session.execute(fill, Limits(timeout_s=60)) for session in (one, two, three)]
        killed = [execution for execution in executions if execution.status is ExecutionStatus.MEMORY]
        assert killed
        assert all(execution.is_session_lost for execution in killed)
        async with sandbox.session() as session:
            assert (await session.execute("6 * 7")).result == "42"


STORM = """
import os, time
while True:
    try:
        if os.fork() == 0:
            time.sleep(300)
    except OSError:
        os.write(1, b'full')
        time.sleep(300)
"""


async def test_a_container_full_of_processes_is_replaced(engine: Engine, raw_engine: docker.APIClient) -> None:
    before = ours(engine)
    async with make_docker(max_sessions=2, spares=0) as sandbox:
        (container,) = ours(engine) - before
        # No program can do this, for seccomp refuses it; so it is done from outside.
        storm = raw_engine.exec_create(container, ["/usr/local/bin/python3", "-c", STORM], user="65534:65534")
        with raw_engine.exec_start(storm["Id"], socket=True) as output, output._sock as connection:
            connection.settimeout(30)
            assert b"full" in await asyncio.to_thread(connection.recv, 4096)
        with pytest.raises(SandboxError, match="could not be forked"):
            async with sandbox.session():
                pytest.fail("there is no room for a session")
        async with sandbox.session() as session:
            assert (await session.execute("6 * 7")).result == "42"
        assert len(ours(engine) - before) == 1
        assert container not in ours(engine)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_container_removed_by_somebody_else_is_replaced(kind: str, engine: Engine) -> None:
    before = ours(engine)
    async with MAKERS[kind](spares=0) as sandbox, sandbox.session() as session:
        (container,) = ours(engine) - before
        running = asyncio.ensure_future(session.execute("while True: pass", Limits(timeout_s=100)))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(engine.remove, container)
        with pytest.raises(SandboxError, match="worker died"):
            await running
        execution = await session.execute("6 * 7")
        assert (execution.result, execution.is_session_lost) == ("42", True)


async def test_a_missing_runtime_is_named() -> None:
    need("docker")
    with pytest.raises(SandboxUnavailable, match=r"no runtime 'none-such', only .*runc"):
        async with open_sandbox(GvisorConfig(runtime="none-such")):
            pytest.fail("there is no such runtime")


@pytest.mark.parametrize(("configured", "finding"), [("docker", Finding.BROKEN), ("auto", Finding.MISSING)])
async def test_a_missing_engine_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, configured: str, finding: Finding
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(SandboxUnavailable, match=r"no Docker engine answers \(No such file or directory\): start"):
        async with open_sandbox(DockerConfig()):
            pytest.fail("there is no engine")
    check = await check_sandbox("docker", Settings.load(sandbox={"kind": configured}))
    assert (check.name, check.finding) == ("docker", finding)
    assert "start dockerd" in (check.advice or "")


@pytest.mark.parametrize("kind", KINDS)
async def test_doctor_runs_a_program_in_the_tier(kind: str) -> None:
    need(kind)
    assert (await check_sandbox(kind, Settings.load())).finding is Finding.OK


# --- the image --------------------------------------------------------------------------------------------------------


async def test_building_again_does_nothing(engine: Engine, raw_engine: docker.APIClient) -> None:
    before = raw_engine.inspect_image(image_tag())["Id"]
    done = CliRunner().invoke(cli, ["sandbox", "build", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"image": image_tag()}
    assert "there already" in done.stderr
    assert raw_engine.inspect_image(image_tag())["Id"] == before


async def test_the_image_carries_its_content_hash(engine: Engine, raw_engine: docker.APIClient) -> None:
    labels = raw_engine.inspect_image(image_tag())["Config"]["Labels"]
    assert labels["abaci.content"] == image_tag().partition(":")[2]
