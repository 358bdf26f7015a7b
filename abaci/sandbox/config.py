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
    """Sessions kept ready in advance, so that opening one does not wait for a fork; with 0 there are never any."""
    max_spares: int = Field(default=16, ge=0, le=256)
    """To how many spares demand may raise that; they shrink again when it falls."""
    wait_s: float = Field(default=30.0, gt=0.0, le=600.0)
    """Seconds to wait for a free session before `SandboxBusy`."""
    start_s: float = Field(default=60.0, gt=0.0, le=600.0)
    """Seconds the worker may take to start before `SandboxUnavailable`; on an idle machine it takes 1 to 3 s."""
    memory_bytes: int = Field(default=1 << 30, ge=64 << 20)
    """The most memory a session may have, in bytes; a program's own `Limits.memory_bytes` counts where it is lower."""
    replay_s: float | None = Field(default=None, gt=0.0, le=600.0)
    """Seconds that may go into running a lost session's earlier programs again, those that succeeded; absent: none."""
    total_memory_bytes: int | None = Field(default=None, ge=256 << 20)
    """The most memory all sessions may have together, in bytes; absent: half of the machine's."""

    @property
    def most_processes(self) -> int:
        """How many session processes there may be at a time, spares among them."""
        return self.max_sessions + max(self.spares, self.max_spares)


class LocalConfig(PoolConfig):
    """What the tiers have in common whose sessions are processes of this machine's kernel."""

    cpus: float | None = Field(default=None, gt=0.0, le=1024.0)
    """Processors that all sessions may use together, where a control group can be made; absent: all of them."""


class AutoSandboxConfig(LocalConfig):
    """The strongest tier that works on this machine: bubblewrap, else Landlock."""

    kind: Literal["auto"] = "auto"


class BubblewrapConfig(LocalConfig):
    """Namespaces by bubblewrap, then Landlock and seccomp: needs user namespaces, neither root nor a daemon."""

    kind: Literal["bubblewrap"] = "bubblewrap"


class LandlockConfig(LocalConfig):
    """Landlock and seccomp alone, where there are no user namespaces: no scratch files, no threads for programs."""

    kind: Literal["landlock"] = "landlock"


class ContainerConfig(PoolConfig):
    """What the two Docker tiers have in common: one container, which holds the worker and every session."""

    runtime: str = Field(min_length=1)
    """The engine's name of the runtime, as `docker info` lists it."""
    cpus: float | None = Field(default=None, gt=0.0, le=1024.0)
    """Processors that all sessions may use together; absent: all of them."""


class DockerConfig(ContainerConfig):
    """One hardened container, and in it what the landlock tier does: needs a Docker engine on this machine."""

    kind: Literal["docker"] = "docker"
    runtime: str = Field(default="runc", min_length=1)


class GvisorConfig(ContainerConfig):
    """The same container under gVisor, whose kernel runs in user space and hides the machine's from programs."""

    kind: Literal["gvisor"] = "gvisor"
    runtime: str = Field(default="runsc", min_length=1)


SandboxConfig = Annotated[
    AutoSandboxConfig | BubblewrapConfig | LandlockConfig | DockerConfig | GvisorConfig, Field(discriminator="kind")
]
