"""Hold all sessions of a sandbox together to one amount of memory: by a control group, else by watching them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from abaci.sandbox.cgroup import GroupLimits
from abaci.sandbox.config import LocalConfig, PoolConfig
from abaci.sandbox.worker.hardening import MAX_THREADS

_WATCH_S = 0.1
_WATCH_SHARE = 20
"""Of its time the watch may spend one part in so many reading, however many sessions there are."""
_ZYGOTE_PROCESSES = 8
"""bubblewrap's own, the zygote, and what they fork while they start."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Watched(Protocol):
    """A session as the watch sees it."""

    @property
    def pid(self) -> int | None:
        """Its process, None where it has ended."""
        ...

    def stop_for_memory(self, budget_bytes: int) -> None:
        """Kill it: of all sessions it holds the most, and together they hold more than `budget_bytes`."""
        ...


def group_limits(config: LocalConfig) -> GroupLimits:
    """What the control group of a sandbox with `config` is held to."""
    return GroupLimits(
        memory_bytes=budget_bytes(config),
        processes=config.most_processes * (MAX_THREADS + 1) + _ZYGOTE_PROCESSES,
        cpus=config.cpus,
    )


def budget_bytes(config: PoolConfig) -> int:
    """The memory of all sessions together, in bytes: as configured, else half of the machine's."""
    if config.total_memory_bytes is not None:
        return config.total_memory_bytes
    return os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES // 2


async def watch(
    budget_bytes: int, zygote_pid: Callable[[], int | None], sessions: Callable[[], Iterable[Watched]]
) -> None:
    """Kill the largest session whenever all together hold more than `budget_bytes`, until cancelled.

    What a session shares with its zygote counts once. Between two looks programs can take more than the budget: at
    worst what the processors can fill in 0.1 s. Each session's own limit still holds, and so does the kernel's order
    to kill sessions before anything else (`abaci.sandbox.worker.hardening`).
    """
    while True:
        started = time.monotonic()
        base = anonymous_bytes(zygote_pid()) or 0
        held = {session: max(0, _session_bytes(session) - base) for session in sessions()}
        if held and base + sum(held.values()) > budget_bytes:
            max(held, key=held.__getitem__).stop_for_memory(budget_bytes)
        await asyncio.sleep(max(_WATCH_S, (time.monotonic() - started) * _WATCH_SHARE))


def anonymous_bytes(pid: int | None) -> int | None:
    """The memory of a process that is not a file's, shared mappings included, in bytes; None where it has ended."""
    if pid is None:
        return None
    with contextlib.suppress(OSError, KeyError):
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return sum(int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem")) * 1024
    return None


def _session_bytes(session: Watched) -> int:
    """What `session` holds; 0 where nobody can say just now, which must not end the watch over the others."""
    with contextlib.suppress(OSError):
        return anonymous_bytes(session.pid) or 0
    return 0
