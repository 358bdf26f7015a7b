"""The Makefile, with a stand-in for the command that it runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def make_solve(folder: Path, *arguments: str, **environment: str) -> str:
    """What `make solve` gives as the question to `abaci`."""
    command = folder / "abaci"
    command.write_text("#!/bin/sh\nprintf '%s' \"$2\"\n", encoding="utf-8")
    command.chmod(0o755)
    make = ["make", "--silent", "--assume-old=.venv/.runtime", f"BIN={folder}", "solve", *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        make, cwd=REPOSITORY, env={**clean, **environment}, capture_output=True, text=True, timeout=60, check=True
    ).stdout


def test_a_problem_is_handed_on_as_it_was_typed(tmp_path: Path) -> None:
    problem = "Solve $x^2 = \\frac{1}{4}$ for $5, \"quoted\" `ls` #1 'so'"
    assert make_solve(tmp_path, f"PROBLEM={problem}") == problem
    assert make_solve(tmp_path, PROBLEM=problem) == problem


def test_without_a_problem_one_of_its_own_is_solved(tmp_path: Path) -> None:
    assert make_solve(tmp_path) == "What is the derivative of x^3 - 4x at x = 2?"
