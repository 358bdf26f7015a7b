"""A short run of every fuzz target; longer ones are started by hand."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SECONDS = 15


def test_frames_of_a_session_never_upset_the_host(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        reason = "the fuzzer atheris is not installed (it has wheels for x86-64 Linux): `uv sync --group dev`"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    command = [sys.executable, str(HERE / "fuzz_frames.py"), f"-max_total_time={SECONDS}", "-max_len=1024"]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False)
    assert finished.returncode == 0, finished.stderr[-4000:]
    assert "Done " in finished.stderr
