"""abaci: solve mathematics with many tool-using reasoning chains and merge them into one justified answer.

    from abaci import Solver

    async with Solver() as solver:
        solution = await solver.solve("What is 17 * 23?")

Names are loaded when they are first used, so that `import abaci` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abaci.agents.options import SolveOptions
    from abaci.client import AsyncClient, Client
    from abaci.errors import AbaciError, InvalidInput
    from abaci.sdk import Solver
    from abaci.settings import Settings
    from abaci.traces.fold import fold_solution
    from abaci.types import Budget, Problem, Sampling, Solution, TraceEvent, Trajectory

__version__ = "0.1.0"

_HOMES = {
    "AbaciError": "abaci.errors",
    "AsyncClient": "abaci.client",
    "Budget": "abaci.types",
    "Client": "abaci.client",
    "InvalidInput": "abaci.errors",
    "Problem": "abaci.types",
    "Sampling": "abaci.types",
    "Settings": "abaci.settings",
    "Solution": "abaci.types",
    "SolveOptions": "abaci.agents.options",
    "Solver": "abaci.sdk",
    "TraceEvent": "abaci.types",
    "Trajectory": "abaci.types",
    "fold_solution": "abaci.traces.fold",
}

__all__ = [
    "AbaciError",
    "AsyncClient",
    "Budget",
    "Client",
    "InvalidInput",
    "Problem",
    "Sampling",
    "Settings",
    "Solution",
    "SolveOptions",
    "Solver",
    "TraceEvent",
    "Trajectory",
    "fold_solution",
]


def __getattr__(name: str) -> object:
    """Load a public name from the module that defines it."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'abaci' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    """The public names."""
    return [*__all__, "__version__"]
