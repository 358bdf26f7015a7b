"""From what the host saw of a program's end to the `Execution` that callers get."""

from __future__ import annotations

import signal
from collections.abc import Callable

from abaci.sandbox.base import Limits
from abaci.sandbox.process import Ended, Stop
from abaci.sandbox.worker.wire import ReplyKind
from abaci.types import Execution, ExecutionStatus

_STATUS_OF_REPLY = {
    ReplyKind.OK: ExecutionStatus.OK,
    ReplyKind.ERROR: ExecutionStatus.ERROR,
    ReplyKind.MEMORY: ExecutionStatus.MEMORY,
}


class OomWatch:
    """Notices when the kernel has killed processes for want of memory.

    Args:
        count: how many it has killed so far: those of our control group, or where there is none of the machine.
    """

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._claimed = count()

    def claim(self) -> bool:
        """Whether there was such a kill that nobody has claimed yet; each explains the end of one process."""
        if self._count() <= self._claimed:
            return False
        self._claimed += 1
        return True


def machine_oom_kills() -> int:
    """How many processes the kernel has killed for want of memory since it booted; 0 where it does not say."""
    try:
        with open("/proc/vmstat", encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    except OSError:
        return 0


def to_execution(ended: Ended, limits: Limits, *, was_lost_before: bool, is_lost: bool, has_oom: bool) -> Execution:
    """The execution that `ended` amounts to.

    Args:
        was_lost_before: the process had been replaced since the last program.
        is_lost: the process is gone now.
        has_oom: the kernel has lately killed some process for want of memory.
    """
    status, error = _judge(ended, limits, has_oom)
    reply = ended.reply
    return Execution(
        status=status,
        stdout=ended.output,
        result=reply.result if reply is not None and status is ExecutionStatus.OK else None,
        error=error,
        traceback=reply.traceback if reply is not None else None,
        duration_s=ended.duration_s,
        is_session_lost=was_lost_before or is_lost,
    )


def _judge(ended: Ended, limits: Limits, has_oom: bool) -> tuple[ExecutionStatus, str | None]:
    """The status, and the one line that says why."""
    if ended.stop is Stop.TIMEOUT:
        return ExecutionStatus.TIMEOUT, f"the program was stopped after {limits.timeout_s:g} s, its time limit"
    if ended.stop is Stop.OUTPUT_LIMIT:
        return ExecutionStatus.OUTPUT_LIMIT, "the program was stopped because it would not stop printing"
    if ended.stop is Stop.MEMORY:
        return ExecutionStatus.MEMORY, ended.fault
    if ended.reply is not None:
        return _STATUS_OF_REPLY[ended.reply.kind], ended.reply.error
    # A session cannot send itself SIGKILL, so somebody else did; with the kernel's count gone up, the kernel.
    if ended.signal == signal.SIGKILL and has_oom:
        return ExecutionStatus.MEMORY, "the kernel killed the program's process for want of memory"
    return ExecutionStatus.KILLED, _cause(ended)


def _cause(ended: Ended) -> str:
    fault = ended.fault or "the program ended its process"
    if ended.signal is None:
        return fault
    try:
        name = signal.Signals(ended.signal).name
    except ValueError:
        name = f"signal {ended.signal}"
    return f"the program's process was killed by {name}"
