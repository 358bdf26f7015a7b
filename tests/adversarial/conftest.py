"""The sandbox under attack, and the secret of the host that no program may learn."""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))

from attack_tiers import TIERS

from abaci.sandbox.base import Sandbox


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only_on(*tiers): the test is for the sandboxes of these tiers alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out programs on tiers that they are not for (a program about threads where there are none)."""
    foreign = [item for item in items if _is_foreign(item)]
    if foreign:
        config.hook.pytest_deselected(items=foreign)
        items[:] = [item for item in items if not _is_foreign(item)]


def _is_foreign(item: pytest.Item) -> bool:
    return any(item.callspec.params["sandbox"] not in mark.args for mark in item.iter_markers("only_on"))


@dataclass(frozen=True)
class Canary:
    """A secret of the host: `value` is in its environment, in its memory and in the file at `path`."""

    value: str
    path: Path


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    """The host's secret, planted before any sandbox starts."""
    value = f"canary-{secrets.token_hex(16)}"
    with tempfile.TemporaryDirectory(prefix="abaci-canary-") as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "secret"
        path.write_text(value)
        # Everybody on the machine may read it: what keeps programs from it must be the sandbox.
        path.parent.chmod(0o755)
        path.chmod(0o644)
        patch.setenv("ABACI_API_KEY", value)
        yield Canary(value, path)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=TIERS)
async def sandbox(request: pytest.FixtureRequest, canary: Canary) -> AsyncIterator[Sandbox]:
    """The tier that the parameter names, started."""
    async with TIERS[request.param].make() as started:
        yield started
