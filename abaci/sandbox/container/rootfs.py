"""The running interpreter and the worker's libraries as a root file system, for machines that reach no registry.

Laid out like the official Python images (`/usr/local/bin/python3`), so that everything after it is the same for both.
There is no shell and no other program in it: only the interpreter, its standard library, the libraries that programs
may use, and the shared objects that those load.
"""

from __future__ import annotations

import importlib.util
import os
import py_compile
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, packages_distributions
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from abaci.errors import SandboxUnavailable
from abaci.sandbox.layout import LIBRARIES, interpreter

_HOME = PurePosixPath("/usr/local")
_LDD_S = 120.0
_LEFT_OUT = {"site-packages", "tests", "test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3"}
"""Folders that no program needs; those of tests are a third of the whole."""
_DIRECTORIES = ("/tmp", "/proc", "/sys", "/dev", "/etc", "/run", "/run/abaci")
_PARTS_OF_LIBC = ("libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1")
_LOCALE = Path("/usr/lib/locale/C.utf8")
_RESOLVED = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x", re.MULTILINE)


@dataclass(frozen=True)
class _Entry:
    """A file of this machine, and where it lies in the image."""

    source: Path
    target: PurePosixPath


def distributions() -> list[Distribution]:
    """The installed distributions that hold the worker's libraries, by name.

    Raises:
        SandboxUnavailable: one of the libraries is not installed.
    """
    owners = packages_distributions()
    missing = [module for module in LIBRARIES if module not in owners]
    if missing:
        raise SandboxUnavailable(
            f"the sandbox needs the packages {', '.join(missing)}: pip install abaci installs them"
        )
    names = sorted({owners[module][0] for module in LIBRARIES})
    return [Distribution.from_name(name) for name in names]


def write_rootfs(file: BinaryIO) -> None:
    """Write the root file system to `file`, as a tar archive.

    Raises:
        SandboxUnavailable: a library is not installed, or the linker does not say what it loads.
    """
    entries = [_Entry(Path(interpreter()), _HOME / "bin" / "python3"), *_standard_library(), *_packages()]
    if _LOCALE.is_dir():
        entries += _tree(_LOCALE, PurePosixPath(str(_LOCALE)))
    entries += _shared_objects(entry.source for entry in entries)
    with (
        tempfile.TemporaryDirectory(prefix="abaci-") as folder,
        tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        entries += _bytecode(entries, Path(folder))
        for name in _DIRECTORIES:
            archive.addfile(_owned_by_root(_directory(name)))
        for entry in {entry.target: entry for entry in entries}.values():
            archive.add(entry.source, str(entry.target).lstrip("/"), recursive=False, filter=_owned_by_root)


def _standard_library() -> Iterator[_Entry]:
    folder = Path(sysconfig.get_path("stdlib")).resolve()
    target = _HOME / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    yield from _tree(folder, target)
    # Some distributions keep the compiled modules elsewhere.
    for path in sys.path:
        if path.endswith("lib-dynload") and not Path(path).resolve().is_relative_to(folder):
            yield from _tree(Path(path).resolve(), target / "lib-dynload")


def _packages() -> Iterator[_Entry]:
    target = _HOME / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for distribution in distributions():
        tops = {path.parts[0] for path in distribution.files or [] if path.parts[0] not in ("..", "__pycache__")}
        for top in sorted(tops):
            source = Path(str(distribution.locate_file(top))).resolve()
            yield from _tree(source, target / top) if source.is_dir() else [_Entry(source, target / top)]


def _tree(folder: Path, target: PurePosixPath) -> Iterator[_Entry]:
    """Every file below `folder`, links followed, without what no program needs."""
    for base, names, files in os.walk(folder, followlinks=True):
        names[:] = sorted(name for name in names if name not in _LEFT_OUT and not name.startswith("config-"))
        for name in sorted(files):
            source = Path(base) / name
            if source.is_file() and not name.endswith(".a") and not name.startswith("_tkinter"):
                yield _Entry(source.resolve(), target / source.relative_to(folder))


def _bytecode(entries: list[_Entry], folder: Path) -> list[_Entry]:
    """Bytecode for the sources that have none, compiled into `folder`: a container could keep none of its own."""
    present = {entry.target for entry in entries}
    compiled = []
    for number, entry in enumerate(entries):
        target = PurePosixPath(importlib.util.cache_from_source(str(entry.target)))
        if entry.target.suffix != ".py" or target in present:
            continue
        file = str(folder / f"{number}.pyc")
        # Without a result where the source is for another version of Python.
        if py_compile.compile(str(entry.source), file, str(entry.target), quiet=2) is not None:
            compiled.append(_Entry(Path(file), target))
    return compiled


def _shared_objects(sources: Iterable[Path]) -> list[_Entry]:
    """What the linker loads for `sources`, beside what lies among them already."""
    known = {source for source in sources if ".so" in source.name or source == Path(interpreter())}
    command = ["ldd", *sorted(map(str, known))]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, timeout=_LDD_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxUnavailable(f"ldd did not list the shared libraries of the interpreter: {error}") from error
    base = Path(sys.base_prefix).resolve()
    entries = []
    found = set(_RESOLVED.findall(listing))
    # Parts of libc that older programs load by name.
    found |= {str(Path(libc).with_name(part)) for libc in found if "/libc.so." in libc for part in _PARTS_OF_LIBC}
    for name in sorted(found):
        path = Path(name)
        if not path.is_file():
            continue
        if path.resolve() in known:
            continue
        is_of_interpreter = base not in (Path("/"), Path("/usr")) and path.resolve().is_relative_to(base)
        entries.append(_Entry(path.resolve(), _HOME / "lib" / path.name if is_of_interpreter else PurePosixPath(name)))
    return entries


def _directory(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name.lstrip("/"))
    info.type = tarfile.DIRTYPE
    return info


def _owned_by_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """`info`, readable for everybody and writable for nobody but root."""
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
    return info
