"""The fallback tier: no namespaces, only what a process can impose on itself: Landlock, seccomp and resource limits.

For machines that forbid user namespaces, and for use inside a container, which brings namespaces of its own. Weaker
than bubblewrap: files outside the allowed folders can be named and their metadata read, though not opened; there is no
scratch folder; programs cannot start threads, because their number could not be bounded.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from abaci.errors import SandboxUnavailable
from abaci.sandbox.bytecode import bytecode_folder
from abaci.sandbox.config import LandlockConfig
from abaci.sandbox.layout import ENVIRONMENT, WORKER_PATH, readable_paths, worker_command
from abaci.sandbox.local import Join, LocalSandbox
from abaci.sandbox.worker import landlock
from abaci.sandbox.worker.hardening import Confinement
from abaci.sandbox.zygote import Launched

_NOBODY = 65534


class LandlockSandbox(LocalSandbox):
    """A `Sandbox` isolated by Landlock and seccomp alone."""

    def __init__(self, config: LandlockConfig) -> None:
        super().__init__(_LandlockLauncher, config)


class _LandlockLauncher:
    tier = "landlock"
    advice = "the landlock sandbox needs Linux 5.13 or newer with Landlock switched on (lsm=landlock,…)"

    def __init__(self, join: Join) -> None:
        self._join = join

    async def launch(self, control_fd: int, stderr_fd: int) -> Launched:
        """Start the zygote as a child of this process.

        Raises:
            SandboxUnavailable: the kernel has no Landlock.
        """
        if landlock.version() == 0:
            raise SandboxUnavailable(f"this kernel has no Landlock: {self.advice}")
        bytecode = await bytecode_folder()
        process = _start(control_fd, stderr_fd, bytecode, self._join)
        return Launched(process, process.pid)


def _start(control_fd: int, stderr_fd: int, bytecode: Path | None, join: Join) -> subprocess.Popen[bytes]:
    user = _NOBODY if os.geteuid() == 0 else None
    confinement = Confinement(readable_paths(), has_namespaces=False, is_landlock_required=True, user=user)
    command = worker_command(str(WORKER_PATH.parents[2]), control_fd, os.getpid(), confinement.to_json())
    cache = {} if bytecode is None else {"PYTHONPYCACHEPREFIX": str(bytecode)}
    try:
        return subprocess.Popen(
            join(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr_fd,
            pass_fds=(control_fd,),
            cwd="/",
            env={**ENVIRONMENT, **cache},
            start_new_session=True,
        )
    except OSError as error:
        raise SandboxUnavailable(f"{command[0]} could not be run: {error}") from error
