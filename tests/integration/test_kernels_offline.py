"""The attention kernels compile for Ampere and Hopper and fit them, as the script for it says in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kernels_offline.py"


def compile_offline(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *options], capture_output=True, text=True, timeout=900)


@pytest.mark.timeout(900)
def test_every_variant_fits_ampere_and_hopper(capsys: pytest.CaptureFixture[str]) -> None:
    """The table is printed even if nothing is wrong with it."""
    done = compile_offline("--json")
    with capsys.disabled():
        sys.stdout.write(f"\n{done.stderr}")
    assert done.stdout, done.stderr
    rows = json.loads(done.stdout)
    assert [(row["variant"], row["faults"]) for row in rows if row["faults"]] == []
    assert done.returncode == 0
    for chip in ("sm_80", "sm_90"):
        for kernel in (
            "paged_attention_kernel",
            "sink_attention_kernel",
            "relay_attention_kernel",
            "find_level_kernel",
            "merge_splits_kernel",
            "estimate_kernel",
            "narrow_kernel",
            "attend_kernel",
            "mix_splits_kernel",
            "append_kernel",
        ):
            assert any(row["variant"].startswith(chip) and row["name"] == kernel for row in rows)


def test_a_selection_of_nothing_is_a_failure() -> None:
    assert compile_offline("--only", "no such variant").returncode == 1
