"""The sandbox image: the libraries, from a registry's Python image or copied from this machine, and the worker on top.

Both layers are tagged with a hash of what goes into them: an image is found exactly when it fits this version of abaci
and of the libraries, and building again does nothing when nothing changed.
"""

from __future__ import annotations

import functools
import hashlib
import io
import sys
import tarfile
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from abaci.errors import SandboxUnavailable
from abaci.sandbox.container.engine import Engine, EngineError
from abaci.sandbox.container.rootfs import distributions, write_rootfs
from abaci.sandbox.layout import WORKER_PATH

REPOSITORY = "abaci-sandbox"
LIBRARIES_REPOSITORY = "abaci-sandbox-libraries"
PACKAGE_ROOT = "/opt/abaci"
"""Where the package `abaci` lies inside; of it there is only the worker."""
BUILD_COMMAND = "abaci sandbox build"

_FOLDER = Path(__file__).parent
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_PULL_S = 120.0
_BUILD_S = 1800.0

Say = Callable[[str], None]
"""Told each step of a build."""


class Origin(StrEnum):
    """Where the interpreter and the libraries come from."""

    AUTO = "auto"
    """The registry where it is reachable, else this machine."""
    REGISTRY = "registry"
    """The official Python image and pinned wheels."""
    LOCAL = "local"
    """Copies of this machine's interpreter and installed libraries."""


@functools.cache
def image_tag(worker: Path = WORKER_PATH) -> str:
    """The name of the image that fits the worker in that folder and the installed libraries.

    Raises:
        SandboxUnavailable: a library of the worker is not installed.
    """
    parts = [_libraries_hash().encode(), (_FOLDER / "worker.Dockerfile").read_bytes()]
    for path in sorted(worker.glob("*.py")):
        parts += [path.name.encode(), path.read_bytes()]
    return f"{REPOSITORY}:{_digest(parts)}"


def require_image(engine: Engine) -> str:
    """The name of the image, which is there.

    Raises:
        SandboxUnavailable: it is not, or only one of another version is; the message says what to run.
    """
    tag = image_tag()
    if engine.has_image(tag):
        return tag
    others = engine.images(REPOSITORY)
    found = f"only of another version of the worker or its libraries ({', '.join(others)})" if others else "not at all"
    raise SandboxUnavailable(f"the engine has no image {tag}, {found}: run `{BUILD_COMMAND}`")


def build_image(engine: Engine, origin: Origin, say: Say, *, is_fresh: bool = False) -> str:
    """Build the image where it is absent, and return its name.

    Args:
        engine: where to build.
        origin: where the libraries come from.
        say: told each step.
        is_fresh: build both layers again, even where they exist.

    Raises:
        SandboxUnavailable: it cannot be built; says why.
    """
    tag = image_tag()
    if engine.has_image(tag) and not is_fresh:
        say(f"{tag} is there already")
        return tag
    libraries = f"{LIBRARIES_REPOSITORY}:{_libraries_hash()}"
    if is_fresh or not engine.has_image(libraries):
        _build_libraries(engine, libraries, origin, say)
    say("adding the worker")
    with tempfile.TemporaryFile() as context:
        with tarfile.open(fileobj=context, mode="w") as archive:
            archive.add(_FOLDER / "worker.Dockerfile", "Dockerfile")
            for path in sorted(WORKER_PATH.glob("*.py")):
                archive.add(path, f"worker/{path.name}", filter=_readable)
        context.seek(0)
        engine.build(context, tag, {"LIBRARIES": libraries}, _BUILD_S, say)
    return tag


def _build_libraries(engine: Engine, tag: str, origin: Origin, say: Say) -> None:
    base = f"python:{_PYTHON}-slim"
    if origin is not Origin.LOCAL:
        say(f"pulling {base}")
        try:
            engine.pull(base, _PULL_S)
        except EngineError as error:
            if origin is Origin.REGISTRY:
                raise
            say(f"no registry is reachable ({error}); copying this machine's interpreter instead")
        else:
            _install_libraries(engine, tag, base, say)
            return
    with tempfile.TemporaryFile() as file:
        say("copying the interpreter and the libraries of this machine")
        write_rootfs(file)
        say(f"importing {file.tell() >> 20} MiB")
        file.seek(0)
        engine.import_rootfs(file, tag, _BUILD_S)


def _install_libraries(engine: Engine, tag: str, base: str, say: Say) -> None:
    say("installing the libraries")
    with tempfile.TemporaryFile() as context:
        with tarfile.open(fileobj=context, mode="w") as archive:
            archive.add(_FOLDER / "libraries.Dockerfile", "Dockerfile")
            pins = _pins().encode()
            info = tarfile.TarInfo("requirements.txt")
            info.size = len(pins)
            archive.addfile(info, io.BytesIO(pins))
        context.seek(0)
        engine.build(context, tag, {"BASE": base}, _BUILD_S, say)


@functools.cache
def _libraries_hash() -> str:
    recipe = (_FOLDER / "libraries.Dockerfile").read_bytes(), (_FOLDER / "rootfs.py").read_bytes()
    return _digest([sys.version.split()[0].encode(), _pins().encode(), *recipe])


def _pins() -> str:
    """The installed versions of the libraries, as pip reads them: what grades inside is what is installed outside."""
    return "".join(f"{each.metadata['Name']}=={each.version}\n" for each in distributions())


def _digest(parts: list[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        # Each with its length, so that no two lists run together into the same bytes.
        total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()[:16]


def _readable(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.mode, info.uid, info.gid, info.mtime = 0o644, 0, 0, 0
    return info
