"""The dense kernel and the one of sinks and window give what vLLM's own kernel gives, both interpreted on the CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("kernels_vllm_oracle.py")
CASES = Path(__file__).parents[1] / "unit" / "kernels"


@pytest.mark.timeout(300)
def test_kernels_agree_with_vllms() -> None:
    """In a process of its own: vLLM keeps Triton from its CPU build, and an engine here must find it so."""
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(CASES)}
    done = subprocess.run([sys.executable, PROGRAM], env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.split("\n")[:-1] == ["dense decode", "dense prefill", "learned logits", "sinks and window"]
