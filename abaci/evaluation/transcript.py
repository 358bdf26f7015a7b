"""Published ToRA trajectories as text: their programs with the recorded outputs, and how ToRA showed an execution.

Source: Gou et al. 2024 (arXiv 2309.17452), the released inference loop and executor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from abaci.types import Execution, ExecutionStatus

SHOWN_CHARS = 400
"""A longer output was shown as its first and last half of this, with "..." between."""

TIMEOUT_TEXT = "Timeout Error"
"""What ToRA shows for a program that ran out of time."""

_REFUSED = re.compile(r"input\(|os\.system\(")
"""Programs with these were not run."""


@dataclass(frozen=True)
class RecordedProgram:
    """A program of a trajectory, with the output that was recorded for it; `block` counts from 0."""

    block: int
    code: str
    output: str


def read_programs(text: str) -> list[RecordedProgram]:
    """The programs of a trajectory that have a recorded output, in order. Programs without one were never run."""
    programs: list[RecordedProgram] = []
    code: str | None = None
    block = -1
    fence: str | None = None
    lines: list[str] = []
    for line in text.split("\n"):
        if fence is None:
            fence = _read_opening(line)
            lines = []
            continue
        if not line.startswith("```"):
            lines.append(line)
            continue
        # A line that starts with a fence closes the block, whatever follows it.
        content = "\n".join(lines)
        if fence == "python":
            code, block = content, block + 1
        elif fence == "output" and code is not None:
            programs.append(RecordedProgram(block, code, content))
            code = None
        fence = None
    return programs


def _read_opening(line: str) -> str | None:
    return line[3:].strip() or "plain" if line.startswith("```") else None


def is_refused(code: str) -> bool:
    """Whether ToRA's executor refused to run this program; it showed "RuntimeError"."""
    return bool(_REFUSED.search(code))


def render_execution(execution: Execution) -> str:
    """What ToRA showed the model of this execution: the output when there is one, else how it ended.

    What a program printed before it failed was thrown away, and the value of a last expression was never shown.
    """
    match execution.status:
        case ExecutionStatus.OK:
            report = execution.stdout.strip() or "Done"
        case ExecutionStatus.TIMEOUT:
            report = TIMEOUT_TEXT
        case _:
            # Of a message with several lines ToRA kept the last one.
            report = (execution.error or execution.status.value).strip().rpartition("\n")[2]
    half = SHOWN_CHARS // 2
    return report if len(report) <= SHOWN_CHARS else f"{report[:half]}...{report[-half:]}"
