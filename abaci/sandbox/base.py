"""The sandbox contract: run untrusted Python, statefully, and always say truthfully how it ended.

Lifecycle::

    async with open_sandbox(config) as sandbox:          # probes the tier, warms the worker
        async with sandbox.session() as session:         # one process of its own, forked from the warm worker
            execution = await session.execute("x = 6*7")  # variables stay
            execution = await session.execute("x")        # Execution(status="ok", result="42")

What every implementation promises:

* **A program is data.** Whatever it does — raise, loop, exhaust memory, kill itself, attack the protocol — `execute`
  returns an `Execution`. Only a broken sandbox raises (`SandboxError`), and such an error is never shown to a model.
* **Limits.** See `Limits`. Above `timeout_s` the program is interrupted, then killed: `timeout`. Above
  `output_bytes` output is dropped from the middle, head and tail are kept; above `OUTPUT_FLOOD_FACTOR` times that the
  program is stopped: `output_limit`. Above `memory_bytes` the status is `memory`; so it is for the largest session
  when all sessions together exceed what the configuration grants them.
* **Partial output is kept**, also after an error, a timeout or a kill.
* **State.** Variables, imports and functions of earlier programs stay. When the process had to be replaced,
  `Execution.is_session_lost` is true and the session goes on, empty; unless the configuration asks for a replay
  (`replay_s`) and every program that had succeeded succeeds again in the new process.
* **Isolation.** No network, no writable host file, no host process visible, nothing of another session readable, an
  allow-listed environment. Nothing of a session outlives it.
* **Bounded.** `execute` returns within `timeout_s` + `KILL_GRACE_S`, and a replay's time where there is one; after a
  loss it first waits for a new process, and where the worker itself has died for that to start again. Opening a session
  waits at most the configured time and then raises `SandboxBusy`. Cancelling either leaves no process behind.

A session runs one program at a time; concurrent `execute` calls on one session queue.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol, Self

from pydantic import Field

from abaci.types import Execution, Value

KILL_GRACE_S = 1.0
"""Beyond `timeout_s`, how long a program may take to die and be reported, in seconds."""

OUTPUT_FLOOD_FACTOR = 64
"""A program that prints more than this many times `Limits.output_bytes` is stopped."""


class Limits(Value):
    """What one program may use."""

    timeout_s: float = Field(default=5.0, gt=0.0, le=600.0)
    """Wall seconds from the moment the program starts."""
    output_bytes: int = Field(default=64 * 1024, ge=256)
    """Bytes of standard output and error kept."""
    memory_bytes: int = Field(default=1 << 30, ge=64 << 20)
    """Bytes beyond the preloaded libraries; fixed when the session starts, so the first program's value counts."""


DEFAULT_LIMITS = Limits()


class Session(Protocol):
    """A Python process that keeps its variables between programs."""

    async def execute(self, code: str, limits: Limits = DEFAULT_LIMITS) -> Execution:
        """Run `code` and report how it ended.

        The value of a final expression statement is reported as `Execution.result` (its `repr`), not printed.

        Raises:
            SessionClosed: the session's `async with` has ended.
            SandboxError: the sandbox itself is broken.
        """
        ...


class Sandbox(Protocol):
    """Makes sessions."""

    @property
    def tier(self) -> str:
        """The isolation in force, for people: `bubblewrap`, `landlock`, `docker`, …"""
        ...

    def session(self) -> AbstractAsyncContextManager[Session]:
        """A fresh session, killed when the context ends; its place is free for the next one once the kernel is done.

        Raises:
            SandboxBusy: none became free within the configured wait.
            SandboxError: the sandbox itself is broken.
        """
        ...

    async def __aenter__(self) -> Self:
        """Start: probe the isolation by using it, warm the worker, wait until it is ready.

        Raises:
            SandboxUnavailable: this tier does not work here; the message says what to do.
        """
        ...

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop: every process, mount and file of this sandbox is gone on return."""
        ...
