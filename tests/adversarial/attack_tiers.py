"""The isolation tiers under attack. A new tier joins with one line in `TIERS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from containers import make_docker, make_gvisor

from abaci.sandbox.base import Sandbox
from abaci.sandbox.bubblewrap import BubblewrapSandbox
from abaci.sandbox.config import BubblewrapConfig, LandlockConfig
from abaci.sandbox.landlock import LandlockSandbox


@dataclass(frozen=True)
class Tier:
    """How a tier is made, and what its programs have.

    `scratch`: a folder to write in; `threads`; `processes`: a process table of their own; `linux`: the kernel of this
    machine, which knows every session as a process and can be asked about it.

    What the programs of one tier fail for counts for those of another that is `like` it.
    """

    make: Callable[[], Sandbox]
    has: frozenset[str] = frozenset()
    like: str = ""


ALL = frozenset({"scratch", "threads", "processes", "linux"})
LINUX = frozenset({"linux"})

# Without spares, so that every session that bears witness to an attack is forked after it.
TIERS = {
    "bubblewrap": Tier(lambda: BubblewrapSandbox(BubblewrapConfig(spares=0)), ALL),
    "landlock": Tier(lambda: LandlockSandbox(LandlockConfig(spares=0)), LINUX),
    "docker": Tier(lambda: make_docker(spares=0), LINUX, like="landlock"),
    "gvisor": Tier(lambda: make_gvisor(spares=0)),
}
