"""The host's hold on one session process: send it signals, and see its end. Nobody else can get its process id."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from dataclasses import dataclass
from typing import Protocol


class Handle(Protocol):
    """Owns `descriptor`, which is readable once the process has ended."""

    @property
    def descriptor(self) -> int:
        """To wait on; see `abaci.sandbox.waiting.readable_within`."""
        ...

    @property
    def pid(self) -> int | None:
        """Its id on this machine; None where it has ended, or another kernel runs it."""
        ...

    def send_signal(self, number: int) -> None:
        """Send it a signal; one that has ended takes no notice."""
        ...


@dataclass(frozen=True)
class PidHandle:
    """A pidfd, which the kernel gives for a process that it runs itself."""

    descriptor: int

    @functools.cached_property
    def pid(self) -> int | None:
        """See `Handle.pid`."""
        with open(f"/proc/self/fdinfo/{self.descriptor}", encoding="ascii") as file:
            pid = next(int(line.split()[1]) for line in file if line.startswith("Pid:"))
        return pid if pid > 0 else None

    def send_signal(self, number: int) -> None:
        """See `Handle.send_signal`."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.descriptor, number)


@dataclass(frozen=True)
class LineHandle:
    """A socket to whoever signals for us, one byte a signal: for processes of a kernel that has no pidfds."""

    descriptor: int
    pid: None = None

    def send_signal(self, number: int) -> None:
        """See `Handle.send_signal`."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            os.write(self.descriptor, bytes([number]))
