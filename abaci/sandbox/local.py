"""What the tiers share whose sessions are processes of this machine's own kernel: a bound on all of them together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self

from abaci.sandbox import budget
from abaci.sandbox.cgroup import ControlGroup
from abaci.sandbox.config import LocalConfig
from abaci.sandbox.outcome import OomWatch
from abaci.sandbox.pool import PooledSandbox
from abaci.sandbox.zygote import Launcher

Join = Callable[[list[str]], list[str]]
"""Changes a command so that it starts in the sandbox's control group."""


class LocalSandbox(PooledSandbox):
    """A `PooledSandbox` held to one amount of memory: by a control group where one can be made, else by watching.

    Args:
        make_launcher: the launcher, given how its command joins the group.
        config: sizes, waits and the budget.
    """

    def __init__(self, make_launcher: Callable[[Join], Launcher], config: LocalConfig) -> None:
        super().__init__(make_launcher(self._join), config)
        self._local_config = config
        self._group: ControlGroup | None = None
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """See `PooledSandbox.__aenter__`.

        Raises:
            SandboxUnavailable: the tier does not work here; the message says why.
        """
        self._group = ControlGroup.create(budget.group_limits(self._local_config))
        if self._group is not None:
            self._oom = OomWatch(self._group.oom_kills)
        try:
            await super().__aenter__()
        except BaseException:
            await self._close_group()
            raise
        if self._group is None:
            total_bytes = budget.budget_bytes(self._local_config)
            watch = budget.watch(total_bytes, lambda: self.zygote_pid, lambda: tuple(self._sessions))
            self._watch = asyncio.create_task(watch, name="abaci-sandbox-memory")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End everything; every process and the control group are gone on return."""
        # One after the other, whatever fails before.
        async with contextlib.AsyncExitStack() as last:
            last.push_async_callback(self._close_group)
            last.push_async_callback(super().__aexit__, *exc_info)
            if self._watch is not None:
                self._watch.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._watch

    def _join(self, command: list[str]) -> list[str]:
        return command if self._group is None else self._group.join(command)

    async def _close_group(self) -> None:
        group, self._group = self._group, None
        if group is not None:
            await group.close()
