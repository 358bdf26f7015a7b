"""What the Landlock rules of a session are made of, before any process is held to them."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from abaci.sandbox.worker import landlock


def test_a_path_that_does_not_exist_has_no_rule(tmp_path: Path) -> None:
    rules = landlock.prepare([(str(tmp_path), landlock.READ), (str(tmp_path / "absent"), landlock.READ)])
    (descriptor,) = rules.descriptors
    try:
        assert os.path.samestat(os.fstat(descriptor), os.stat(tmp_path))
    finally:
        os.close(descriptor)


def test_a_file_gets_no_right_that_only_folders_can_have(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    rules = landlock.prepare([(str(file), landlock.WRITE)])
    (rights, descriptor) = struct.unpack("=Qi", rules.packed[0])
    os.close(descriptor)
    write_file, truncate = 1 << 1, 1 << 14
    assert rights & ~(write_file | 1 << 2 | truncate) == 0
