"""A control group for everything that one sandbox runs: the kernel holds all of it together to memory, processes, CPU.

Where no group can be made (no privilege, nothing delegated) a sandbox goes without, and `abaci.sandbox.budget` watches
the memory instead. Both versions of the interface are known: version 1 has a tree of folders a controller, version 2 a
single tree. A session has no group of its own: making and removing one costs as much as the fork.

Sources: the kernel's `Documentation/admin-guide/cgroup-v1/` and `cgroup-v2.rst`.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from abaci.sandbox.waiting import readable_within

_PREFIX = "abaci-"
_SHELL = "/bin/sh"
_CONTROLLERS = ("memory", "pids", "cpu")
_CLOSE_S = 3.0
# The group is joined between fork and exec of the first process, so that nothing of it is ever outside.
_JOIN = 'n=$1; shift; while [ $n -gt 0 ]; do echo 0 >"$1/cgroup.procs" || exit 1; shift; n=$((n-1)); done; exec "$@"'
# Outlives a host that was killed: hears of its end by the pipe, and removes the folders once their processes are gone.
# Hundreds of them take a while.
_JANITOR = """
read -r end
n=150
while [ $n -gt 0 ]; do
    left=
    for group; do rmdir "$group" || ! [ -d "$group" ] || left=yes; done
    [ "$left" ] || exit 0
    sleep 0.1
    n=$((n-1))
done
"""
_numbers = itertools.count()
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GroupLimits:
    """What all processes of a group may use together.

    Without `cpus` there is no group for the processors: its very existence would let all sessions together have no
    more of a busy machine than a single process outside has.
    """

    memory_bytes: int
    processes: int
    cpus: float | None = None


@dataclass(frozen=True)
class Hierarchy:
    """Where groups can be made, by controller; for version 2 it is the same folder for each."""

    version: int
    folders: dict[str, Path]


class ControlGroup:
    """One group, made by `ControlGroup.create`; `close` removes it, and so does the end of this process."""

    def __init__(self, version: int, folders: dict[str, Path]) -> None:
        self._version = version
        self._folders = folders
        self.paths = tuple(dict.fromkeys(folders.values()))
        self._read_fd, self._write_fd = os.pipe2(os.O_CLOEXEC)
        self._janitor = subprocess.Popen(
            [_SHELL, "-c", _JANITOR, "sh", *map(str, self.paths)],
            stdin=self._read_fd,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        os.close(self._read_fd)

    @classmethod
    def create(cls, limits: GroupLimits, hierarchy: Hierarchy | None = None) -> ControlGroup | None:
        """A group with `limits`; None where this process may not make one that limits memory."""
        hierarchy = hierarchy or find_hierarchy()
        if hierarchy is None or not os.access(_SHELL, os.X_OK):
            return None
        _remove_orphans(hierarchy)
        name = f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
        made: dict[str, Path] = {}
        for controller, parent in hierarchy.folders.items():
            if controller == "cpu" and limits.cpus is None:
                continue
            folder = parent / name
            try:
                folder.mkdir(exist_ok=True)
                _limit(hierarchy.version, controller, folder, limits)
                made[controller] = folder
            except OSError as error:
                _log.debug("no %s control group: %s", controller, error)
        is_whole = "memory" in made
        for parent in set(hierarchy.folders.values()):
            if not is_whole or parent / name not in made.values():
                _remove(parent / name)
        if not is_whole:
            return None
        return cls(hierarchy.version, made)

    def join(self, command: list[str]) -> list[str]:
        """`command`, changed to join this group before it starts."""
        return [_SHELL, "-c", _JOIN, "sh", str(len(self.paths)), *map(str, self.paths), *command]

    def oom_kills(self) -> int:
        """How many processes of the group the kernel has killed because the group was out of memory."""
        name = "memory.events" if self._version == 2 else "memory.oom_control"
        with contextlib.suppress(OSError):
            for line in (self._folders["memory"] / name).read_text(encoding="ascii").splitlines():
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    return int(value)
        return 0

    async def close(self) -> None:
        """Remove the group; its processes must have ended."""
        os.close(self._write_fd)
        pidfd = os.pidfd_open(self._janitor.pid)
        try:
            if not await readable_within(pidfd, _CLOSE_S):
                self._janitor.kill()
        finally:
            os.close(pidfd)
            self._janitor.wait()
        for path in self.paths:
            if path.exists() and not _remove(path):
                _log.warning("the control group %s could not be removed: it still has processes", path)


def find_hierarchy(proc: Path = Path("/proc/self")) -> Hierarchy | None:
    """Where this process may make groups, its own group's limits staying in force; None where nowhere.

    Version 2 forbids limits below a group that has processes itself, so there the new group becomes a neighbour of
    ours, and only where ours has no limit of memory or processors that it would escape by that.
    """
    try:
        mounts = _mounts(proc / "mountinfo")
        groups = [line.split(":", 2) for line in (proc / "cgroup").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return None
    folders: dict[str, Path] = {}
    for _, names, path in groups:
        for controller in names.split(","):
            if controller in _CONTROLLERS and controller in mounts:
                folders[controller] = _below(mounts[controller], path)
    if "memory" in folders:
        return Hierarchy(1, {name: folders[name] for name in _CONTROLLERS if name in folders})
    own = next((path for _, names, path in groups if not names), None)
    if own is None or "" not in mounts:
        return None
    return _find_unified(_below(mounts[""], own), mounts[""][1])


def _find_unified(own: Path, top: Path) -> Hierarchy | None:
    candidates = [own]
    is_limited = any(not (_read(own / name) or "max").startswith("max") for name in ("memory.high", "cpu.max"))
    if own != top and _read(own / "memory.max") == "max" and not is_limited:
        candidates.append(own.parent)
    for folder in candidates:
        controllers = _read(folder / "cgroup.subtree_control").split()
        if "memory" in controllers and os.access(folder / "cgroup.procs", os.W_OK):
            return Hierarchy(2, {name: folder for name in _CONTROLLERS if name in controllers})
    return None


def _mounts(path: Path) -> dict[str, tuple[str, Path]]:
    """Controller → root of the mounted tree and mount point; the unified tree goes by the name ""."""
    found: dict[str, tuple[str, Path]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, _, options) = before.split(), after.split(" ", 2)
        if kind == "cgroup2":
            found.setdefault("", (fields[3], Path(fields[4])))
        elif kind == "cgroup":
            for controller in options.split(","):
                found.setdefault(controller, (fields[3], Path(fields[4])))
    return found


def _below(mount: tuple[str, Path], group: str) -> Path:
    root, point = mount
    return point / group.removeprefix(root.rstrip("/")).lstrip("/")


def _limit(version: int, controller: str, folder: Path, limits: GroupLimits) -> None:
    """Set what `controller` limits; swap would only make the same limit slower to reach.

    Raises:
        OSError: the kernel refuses a limit that it offers.
    """
    memory, processes = str(limits.memory_bytes), str(limits.processes)
    cpus = limits.cpus or 1.0
    quota_us, period_us = round(cpus * 100_000), 100_000
    # As much against other groups as so many processes would have.
    share = min(max(cpus, 0.1), 100.0)
    if version == 2:
        settings = {
            "memory": {"memory.max": memory, "memory.swap.max": "0"},
            "pids": {"pids.max": processes},
            "cpu": {"cpu.weight": str(round(100 * share)), "cpu.max": f"{quota_us} {period_us}"},
        }
    else:
        settings = {
            "memory": {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory},
            "pids": {"pids.max": processes},
            "cpu": {"cpu.shares": str(round(1024 * share)), "cpu.cfs_quota_us": str(quota_us)},
        }
    optional = {"memory.swap.max", "memory.memsw.limit_in_bytes"}
    for name, value in settings[controller].items():
        if name not in optional or (folder / name).exists():
            (folder / name).write_text(value, encoding="ascii")


def _remove_orphans(hierarchy: Hierarchy) -> None:
    """Remove groups of sandboxes whose host and janitor were killed together; those with processes stay."""
    for folder in set(hierarchy.folders.values()):
        for path in folder.glob(f"{_PREFIX}*-*"):
            if not os.path.exists(f"/proc/{path.name.removeprefix(_PREFIX).partition('-')[0]}"):
                _remove(path)


def _remove(path: Path) -> bool:
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
