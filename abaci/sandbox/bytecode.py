"""Bytecode of the libraries where the installer left none: a zygote may write nowhere, and would compile at each start.

uv does not compile what it installs, and many container images forbid Python to write bytecode at all. Compiling SymPy,
NumPy and SciPy anew takes 6 s of processor time at every start, so it is done once, into the user's cache folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from platformdirs import user_cache_path

from abaci.sandbox.layout import ENVIRONMENT, LIBRARIES, WORKER_PATH, import_command
from abaci.sandbox.waiting import readable_within

COMPILE_S = 120.0
"""How long the compilation may take, in seconds; 6 to 10 s are usual."""

_DONE = "complete"


async def bytecode_folder() -> Path | None:
    """A folder for `PYTHONPYCACHEPREFIX`, complete; None where the libraries are compiled in place, or no cache can be.

    Without bytecode everything still works, only later: a failure here is therefore not an error.
    """
    if _is_compiled_in_place():
        return None
    folder = user_cache_path("abaci", appauthor=False) / "bytecode" / _fingerprint()
    if (folder / _DONE).exists():
        return folder
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        process = _start_compiler(folder)
    except OSError:
        return None
    if not await _has_succeeded(process):
        return None
    (folder / _DONE).touch()
    return folder


def _start_compiler(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        import_command(str(WORKER_PATH.parents[2])),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**ENVIRONMENT, "PYTHONPYCACHEPREFIX": str(folder)},
    )


async def _has_succeeded(process: subprocess.Popen[bytes]) -> bool:
    pidfd = os.pidfd_open(process.pid)
    try:
        await readable_within(pidfd, COMPILE_S)
    finally:
        os.close(pidfd)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
    return process.returncode == 0


def _origins() -> list[str]:
    """The `__init__.py` of every library."""
    specs = [importlib.util.find_spec(name) for name in LIBRARIES]
    return [spec.origin for spec in specs if spec is not None and spec.origin is not None]


def _is_compiled_in_place() -> bool:
    """Whether every library has bytecode beside its source."""
    return all(os.path.exists(_in_place(origin)) for origin in _origins())


def _in_place(source: str) -> str:
    folder, name = os.path.split(source)
    stem = name.removesuffix(".py")
    return os.path.join(folder, "__pycache__", f"{stem}.{sys.implementation.cache_tag}.pyc")


def _fingerprint() -> str:
    """Changes when the interpreter or a library does, so that an upgrade compiles anew."""
    parts = [sys.version, *(f"{origin} {os.stat(origin).st_mtime_ns}" for origin in _origins())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
