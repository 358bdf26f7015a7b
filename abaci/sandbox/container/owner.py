"""Whose a container is, in a form that another process can check: is that process dead, or only unknown here?"""

from __future__ import annotations

import os
from pathlib import Path


def this_process(pid: int | None = None) -> str:
    """The label of process `pid`, absent: of this one.

    The boot, the process namespace, the process id and its start time in clock ticks: numbers come again, all four of
    them together do not.

    Raises:
        ProcessLookupError: there is no such process.
    """
    pid = os.getpid() if pid is None else pid
    started = _start_ticks(pid)
    if started is None:
        raise ProcessLookupError(f"there is no process {pid}")
    return f"{_boot()}/{_namespace()}/{pid}/{started}"


def is_dead(label: str) -> bool:
    """Whether the process of `label` has certainly ended; one in another container's namespace cannot be seen."""
    parts = label.split("/")
    if len(parts) != 4 or not parts[2].isdigit():
        return False  # Not written by us.
    boot, namespace, pid, started = parts
    if boot != _boot():
        return True
    return namespace == _namespace() and _start_ticks(int(pid)) != started


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _namespace() -> str:
    return str(os.stat("/proc/self/ns/pid").st_ino)


def _start_ticks(pid: int) -> str | None:
    """When the process started; None where it has ended, waiting to be reaped or not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in ("Z", "X") else fields[19]
