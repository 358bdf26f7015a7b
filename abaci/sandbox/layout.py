"""Which files of the host a sandbox shows to programs, and how the worker is started on them."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import sys
import sysconfig
from pathlib import Path

from abaci.errors import SandboxUnavailable

LIBRARIES = ("sympy", "mpmath", "numpy", "scipy", "math_verify", "latex2sympy2_extended", "antlr4")
"""What the worker imports; the folders they are installed in are shown whole."""

ENVIRONMENT = {
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "TMPDIR": "/tmp",
    # The same order of sets in every session: runs can be repeated.
    "PYTHONHASHSEED": "0",
    # One thread a session: many sessions run at once, and thread pools do not survive a fork.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # Otherwise every thread reserves 64 MiB of the address space that a session's memory limit counts.
    "MALLOC_ARENA_MAX": "1",
}
"""All of a session's environment; nothing of the host's is passed on."""

WORKER_PATH = Path(__file__).parent / "worker"

_SYSTEM_LIBRARIES = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/lib", "/lib32", "/lib64")
_LINKER_FILES = ("/etc/ld.so.cache", "/etc/alternatives")

_BOOTSTRAP = """\
import json, sys
paths, control, host_pid, confinement = json.loads(sys.argv[1])
sys.path[:] = paths
from abaci.sandbox.worker.zygote import serve
sys.path.pop(0)
serve(control, host_pid, confinement)
"""


@functools.cache
def interpreter() -> str:
    """The real interpreter behind a virtual environment, as an absolute path."""
    return os.path.realpath(sys.executable)


@functools.cache
def library_paths() -> tuple[str, ...]:
    """The folders that hold the libraries of the worker, in the order of `sys.path`.

    Raises:
        SandboxUnavailable: one of the libraries is not installed.
    """
    folders: list[str] = []
    for name in LIBRARIES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise SandboxUnavailable(f"the sandbox needs the package {name!r}: pip install abaci installs it")
        folders.append(str(Path(spec.origin).parent.parent.resolve()))
    return tuple(dict.fromkeys(folders))


def readable_paths() -> tuple[str, ...]:
    """Everything of the host that a program may read: interpreter, standard library, libraries, linker's files.

    None of the paths lies below another one; all exist.

    Raises:
        SandboxUnavailable: a library of the worker is not installed.
    """
    base = Path(sys.base_prefix).resolve()
    wanted = [
        interpreter(),
        _standard_library(),
        *_dynamic_modules(),
        *library_paths(),
        *_SYSTEM_LIBRARIES,
        *_LINKER_FILES,
    ]
    # A shared libpython lies beside the standard library; in /usr that is a system library already.
    if base not in (Path("/"), Path("/usr")):
        wanted.append(str(base / "lib"))
    present = dict.fromkeys(path for path in wanted if os.path.exists(path))
    return tuple(path for path in present if not any(str(parent) in present for parent in Path(path).parents))


def worker_command(package_root: str, control_fd: int, host_pid: int, confinement_json: str) -> list[str]:
    """The command line of a zygote whose package `abaci` lies in `package_root`.

    Isolated from the user's configuration: no user site, no `.pth` files, no current directory in `sys.path`.
    """
    argument = json.dumps([_search_path(package_root), control_fd, host_pid, confinement_json])
    return [interpreter(), "-s", "-S", "-P", "-B", "-c", _BOOTSTRAP, argument]


def container_command(package_root: str, module: str, confinement_json: str) -> list[str]:
    """The command line that calls `serve` of a worker's `module` in our container image, isolated in the same way."""
    home = f"/usr/local/lib/python{sys.version_info.major}.{sys.version_info.minor}"
    path = [package_root, home, f"{home}/lib-dynload", f"{home}/site-packages"]
    # Base images and the engine add variables of their own.
    code = "import json, os, sys; sys.path[:], kept = json.loads(sys.argv[1]); "
    code += "[os.environ.pop(name) for name in set(os.environ) - set(kept)]; "
    code += f"from abaci.sandbox.worker.{module} import serve; serve(sys.argv[2])"
    argument = json.dumps([path, list(ENVIRONMENT)])
    return ["/usr/local/bin/python3", "-s", "-S", "-P", "-B", "-c", code, argument, confinement_json]


def import_command(package_root: str) -> list[str]:
    """The command line of a process that imports what the zygote would, and ends."""
    code = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    code += "from abaci.sandbox.worker.hardening import die_with_parent; die_with_parent(); "
    code += "from abaci.sandbox.worker.warm import warm_up; warm_up()"
    return [interpreter(), "-s", "-S", "-P", "-c", code, json.dumps(_search_path(package_root))]


def _search_path(package_root: str) -> list[str]:
    """`sys.path` inside: the package first, where the bootstrap removes it again, then the libraries."""
    return [package_root, _standard_library(), *_dynamic_modules(), *library_paths()]


def _standard_library() -> str:
    return os.path.realpath(sysconfig.get_path("stdlib"))


def _dynamic_modules() -> list[str]:
    return [os.path.realpath(path) for path in sys.path if path.endswith("lib-dynload")]
