"""What an operator may say about the sandbox; the isolation tier is chosen by `kind`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from abaci.types import Value


class PoolConfig(Value):
    """How many sessions there may be, and how long anybody waits for one."""

    max_sessions: int = Field(default=64, ge=1, le=4096)
    """Sessions open at the same time; bounds the memory of the machine together with `memory_bytes`."""
    spares: int = Field(default=2, ge=0, le=256)
    """Sessions kept ready in advance, so that opening one does not wait for a fork."""
    wait_s: float = Field(default=30.0, gt=0.0, le=600.0)
    """Seconds to wait for a free session before `SandboxBusy`."""
    start_s: float = Field(default=60.0, gt=0.0, le=600.0)
    """Seconds the worker may take to start before `SandboxUnavailable`; on an idle machine it takes 1 to 3 s."""
    memory_bytes: int = Field(default=1 << 30, ge=64 << 20)
    """The most memory a session may have, in bytes; a program's own `Limits.memory_bytes` counts where it is lower."""


class AutoSandboxConfig(PoolConfig):
    """The strongest tier that works on this machine: bubblewrap, else Landlock."""

    kind: Literal["auto"] = "auto"


class BubblewrapConfig(PoolConfig):
    """Namespaces by bubblewrap, then Landlock and seccomp: needs user namespaces, neither root nor a daemon."""

    kind: Literal["bubblewrap"] = "bubblewrap"


class LandlockConfig(PoolConfig):
    """Landlock and seccomp alone, where there are no user namespaces: no scratch files, no threads for programs."""

    kind: Literal["landlock"] = "landlock"


SandboxConfig = Annotated[AutoSandboxConfig | BubblewrapConfig | LandlockConfig, Field(discriminator="kind")]
