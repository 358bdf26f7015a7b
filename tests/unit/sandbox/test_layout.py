"""What a sandbox shows of the host."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import abaci
from abaci.sandbox.layout import ENVIRONMENT, readable_paths


def is_below(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def test_nothing_shown_lies_below_something_else_shown() -> None:
    paths = [Path(path) for path in readable_paths()]
    assert not [(a, b) for a in paths for b in paths if a != b and is_below(a, b)]


def test_everything_shown_exists() -> None:
    assert all(os.path.exists(path) for path in readable_paths())


def test_neither_the_project_nor_the_home_nor_configuration_is_shown() -> None:
    project = Path(abaci.__file__).parents[1]
    for hidden in (project / "pyproject.toml", Path.home(), Path("/etc/passwd"), Path("/var/log"), Path("/tmp")):
        assert not any(is_below(hidden, Path(path)) for path in readable_paths()), hidden


def test_the_libraries_are_shown() -> None:
    spec = importlib.util.find_spec("sympy")
    assert spec is not None
    assert spec.origin is not None
    assert any(is_below(Path(spec.origin).resolve(), Path(path)) for path in readable_paths())


def test_the_environment_holds_nothing_of_the_hosts() -> None:
    assert set(ENVIRONMENT) == {
        *("HOME", "LANG", "PATH", "TMPDIR", "PYTHONHASHSEED", "MALLOC_ARENA_MAX"),
        *("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
    }
