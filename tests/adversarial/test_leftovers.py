"""What a program leaves behind in its own session, and whether the session copes with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from attack_tiers import TIERS

from abaci.sandbox.base import Limits, Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEFTOVERS = tomllib.loads(Path(__file__).with_name("leftovers.toml").read_text())["leftover"]


def leftovers() -> list[Any]:
    return [
        pytest.param(
            row,
            id=row["name"],
            marks=pytest.mark.only_on(
                *(name for name, tier in TIERS.items() if tier.has.issuperset(row.get("needs", [])))
            ),
        )
        for row in LEFTOVERS
    ]


@pytest.mark.parametrize("row", leftovers())
async def test_a_session_copes_with_what_a_program_left_behind(sandbox: Sandbox, row: dict[str, Any]) -> None:
    async with sandbox.session() as session, sandbox.session() as neighbour:
        await session.execute(row["code"], Limits(memory_bytes=128 << 20))
        then = await session.execute(row["then"], Limits(timeout_s=row.get("timeout_s", 5.0), output_bytes=4096))
        report = f"{then.status}\n{then.error}\n{then.stdout}\n{then.result}"
        assert re.search(row["reason"], report, re.DOTALL), report[:2000]
        # Whatever happened, the session goes on, and nobody else noticed.
        if then.is_session_lost:
            assert (await session.execute("6 * 7")).result == "42"
        assert (await neighbour.execute("6 * 7")).result == "42"
