"""The sandboxes in a container, and how their zygote is started: by a keeper (`keeper.py`) that owns the container."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from abaci.errors import SandboxUnavailable
from abaci.sandbox.budget import budget_bytes
from abaci.sandbox.config import ContainerConfig, DockerConfig, GvisorConfig
from abaci.sandbox.container import owner
from abaci.sandbox.container.engine import REQUEST_S, ContainerSpec, Engine
from abaci.sandbox.container.image import BUILD_COMMAND, PACKAGE_ROOT, require_image
from abaci.sandbox.container.keeper import Task
from abaci.sandbox.layout import ENVIRONMENT, container_command
from abaci.sandbox.pool import PooledSandbox
from abaci.sandbox.worker.hardening import Confinement
from abaci.sandbox.zygote import Launched

END_S = REQUEST_S + 15.0
"""How long a container may take to be killed and removed, in seconds; well below one on an idle machine. Longer than
one request may take: a keeper killed in the middle of one would leave the container behind."""
_SPARE_PROCESSES = 32
"""Beside the sessions: the zygote, its attendant, sessions that are just ending."""


class DockerSandbox(PooledSandbox):
    """A `Sandbox` in a hardened container; inside, Landlock and seccomp as on the landlock tier."""

    def __init__(self, config: DockerConfig) -> None:
        super().__init__(_ContainerLauncher("docker", config, is_bridged=False), config)


class GvisorSandbox(PooledSandbox):
    """A `Sandbox` in a hardened container under gVisor; inside, seccomp, and nothing but the libraries to see."""

    def __init__(self, config: GvisorConfig) -> None:
        super().__init__(_ContainerLauncher("gvisor", config, is_bridged=True), config)


class _ContainerLauncher:
    def __init__(self, tier: str, config: ContainerConfig, *, is_bridged: bool) -> None:
        self.tier = tier
        self.advice = f"the {tier} sandbox needs a Docker engine with the runtime {config.runtime}, and its image: "
        self.advice += f"`{BUILD_COMMAND}`"
        self._config = config
        self._is_bridged = is_bridged

    async def launch(self, control_fd: int, stderr_fd: int) -> Launched:
        """Start a keeper, which starts the container.

        Raises:
            SandboxUnavailable: no engine answers, it lacks the image or the runtime, or nothing can be started.
        """
        image = await asyncio.to_thread(self._check)
        process = _start_keeper(Task(self._spec(image), control_fd, owner.this_process(), self._is_bridged), stderr_fd)
        return Launched(process, process.pid, end_s=END_S, sees_hang_up=True, is_spent_when_fork_fails=True)

    def _check(self) -> str:
        with Engine() as engine:
            if self._config.runtime not in engine.runtimes():
                raise SandboxUnavailable(
                    f"the Docker engine has no runtime {self._config.runtime!r}, only "
                    f"{', '.join(engine.runtimes())}: install it, and name it in the engine's daemon.json"
                )
            return require_image(engine)

    def _spec(self, image: str) -> ContainerSpec:
        config = self._config
        # gVisor's kernel has no Landlock, so /proc and /sys are hidden there; runc needs them to start.
        hidden = ("/tmp", "/proc", "/sys") if self._is_bridged else ("/tmp",)
        confinement = Confinement(
            ("/usr", "/lib", "/lib64", "/etc/ld.so.cache"),
            has_namespaces=False,
            is_landlock_required=not self._is_bridged,
        )
        module = "afar" if self._is_bridged else "attendant"
        return ContainerSpec(
            image=image,
            command=container_command(PACKAGE_ROOT, module, confinement.to_json()),
            runtime=config.runtime,
            memory_bytes=budget_bytes(config),
            processes=config.most_processes + _SPARE_PROCESSES,
            cpus=config.cpus or os.cpu_count() or 1,
            environment=ENVIRONMENT,
            has_stdin=self._is_bridged,
            hidden=hidden,
        )


def _start_keeper(task: Task, stderr_fd: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "abaci.sandbox.container.keeper", task.to_json()]
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr_fd,
            pass_fds=(task.control_fd,),
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            start_new_session=True,
        )
    except OSError as error:
        raise SandboxUnavailable(f"{command[0]} could not be run: {error}") from error
