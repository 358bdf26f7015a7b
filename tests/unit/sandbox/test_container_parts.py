"""The small parts of the Docker tiers, without an engine: owners of containers, wrapped output, the copied files."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abaci.errors import SandboxUnavailable
from abaci.sandbox.container import owner
from abaci.sandbox.container.image import image_tag, require_image
from abaci.sandbox.container.rootfs import write_rootfs
from abaci.sandbox.container.wrapping import Unwrapper
from abaci.sandbox.layout import WORKER_PATH
from abaci.sandbox.worker.afar import address_space_bytes
from abaci.sandbox.worker.session import mapped_bytes

# --- owners -----------------------------------------------------------------------------------------------------------


def test_a_living_owner_is_not_dead() -> None:
    assert not owner.is_dead(owner.this_process())


@pytest.mark.parametrize("is_reaped", [False, True])
def test_an_owner_that_ended_is_dead(is_reaped: bool) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        label = owner.this_process(process.pid)
        assert not owner.is_dead(label)
        process.kill()
        if is_reaped:
            process.wait()
        else:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert owner.is_dead(label)


def test_a_process_with_the_number_of_a_dead_owner_is_not_it() -> None:
    boot, namespace, pid, started = owner.this_process().split("/")
    assert owner.is_dead(f"{boot}/{namespace}/{pid}/{int(started) - 1}")
    assert owner.is_dead(f"another-boot/{namespace}/{pid}/{started}")


@pytest.mark.parametrize("label", ["", "a/b/c/d", "x/y", "somebody else's"])
def test_a_label_of_somebody_else_is_left_alone(label: str) -> None:
    assert not owner.is_dead(label)


def test_an_owner_in_another_process_namespace_is_unknown_and_so_not_dead() -> None:
    boot, namespace, _, started = owner.this_process().split("/")
    assert not owner.is_dead(f"{boot}/{int(namespace) + 1}/999999999/{started}")


# --- wrapping ---------------------------------------------------------------------------------------------------------

PIECES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=8)


@given(PIECES, st.lists(st.integers(1, 20), max_size=40))
def test_output_and_errors_are_told_apart_wherever_the_pieces_are_cut(
    pieces: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    wrapped = b"".join(struct.pack(">BxxxI", stream, len(data)) + data for stream, data in pieces)
    with tempfile.TemporaryFile() as errors:
        unwrap = Unwrapper(errors.fileno())
        output = b""
        for cut in cuts:
            output += unwrap(wrapped[:cut])
            wrapped = wrapped[cut:]
        output += unwrap(wrapped)
        errors.seek(0)
        assert errors.read() == b"".join(data for stream, data in pieces if stream == 2)
    assert output == b"".join(data for stream, data in pieces if stream == 1)


def test_errors_that_nobody_reads_are_dropped() -> None:
    read_fd, write_fd = os.pipe2(os.O_NONBLOCK)
    try:
        unwrap = Unwrapper(write_fd)
        data = b"e" * (1 << 20)
        assert unwrap(struct.pack(">BxxxI", 2, len(data)) + data + struct.pack(">BxxxI", 1, 2) + b"ok") == b"ok"
    finally:
        os.close(read_fd)
        os.close(write_fd)


# --- the image --------------------------------------------------------------------------------------------------------


def test_a_changed_worker_needs_another_image(tmp_path: Path) -> None:
    shutil.copytree(WORKER_PATH, tmp_path / "same")
    shutil.copytree(WORKER_PATH, tmp_path / "changed")
    with (tmp_path / "changed" / "program.py").open("a") as file:
        file.write("# changed\n")
    assert image_tag(tmp_path / "same") == image_tag()
    assert image_tag(tmp_path / "changed") != image_tag()


class Shelf:
    """What of an engine `require_image` uses: the images that are there."""

    def __init__(self, *tags: str) -> None:
        self._tags = tags

    def has_image(self, tag: str) -> bool:
        return tag in self._tags

    def images(self, repository: str) -> list[str]:
        return [tag for tag in self._tags if tag.startswith(f"{repository}:")]


def test_an_image_that_fits_is_used() -> None:
    assert require_image(Shelf("python:3.11", image_tag())) == image_tag()


def test_an_absent_image_is_named_with_the_command_that_builds_it() -> None:
    with pytest.raises(SandboxUnavailable, match=r"not at all: run `abaci sandbox build`"):
        require_image(Shelf("python:3.11"))


def test_an_image_of_another_version_is_said_to_be_one() -> None:
    with pytest.raises(SandboxUnavailable, match=r"only of another version .*abaci-sandbox:old.*`abaci sandbox build`"):
        require_image(Shelf("abaci-sandbox:old"))


def test_the_root_file_system_is_complete_and_belongs_to_root() -> None:
    with tempfile.TemporaryFile() as file:
        write_rootfs(file)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            members = {member.name: member for member in archive}
    home = "usr/local/lib/python3.11"
    wanted = ("usr/local/bin/python3", f"{home}/os.py", *(f"{home}/site-packages/{n}/__init__.py" for n in ("sympy",)))
    assert [name for name in wanted if name not in members] == []
    assert any("ld-linux" in name for name in members)
    assert {(member.uid, member.gid) for member in members.values()} == {(0, 0)}
    assert not [name for name, member in members.items() if member.mode & 0o022]
    assert not [name for name in members if "/tests/" in name or "docker" in name]
    sources = [name for name in members if name.startswith(f"{home}/site-packages/sympy/") and name.endswith(".py")]
    folders = [name.rpartition("/") for name in sources]
    compiled = {f"{folder}/__pycache__/{name[:-3]}.cpython-311.pyc" for folder, _, name in folders}
    assert compiled <= set(members)


# --- memory -----------------------------------------------------------------------------------------------------------


def test_the_address_space_is_measured_without_proc() -> None:
    before = mapped_bytes()
    assert abs(address_space_bytes() - before) < 4 << 20
