"""Hostile programs against every isolation tier: what stops each, and that nobody else notices."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest
from attack_corpus import EXTERNAL, Hostile, external_programs, our_programs
from attack_tiers import TIERS

from abaci.evaluation.attacks import Attack, attempt
from abaci.sandbox.base import Limits, Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")

OUTPUT_BYTES = 16 * 1024


class Canary(Protocol):
    value: str
    path: Path


OURS = {tier: {each.name: each for each in our_programs(tier)} for tier in TIERS}
EXTERNALS = {tier: {each.name: each for each in external_programs(tier)} for tier in TIERS}


def names_of_ours() -> list[Any]:
    """Every program's name, once, with the tiers that it is for."""
    names = dict.fromkeys(name for programs in OURS.values() for name in programs)
    return [pytest.param(name, marks=pytest.mark.only_on(*(t for t in TIERS if name in OURS[t]))) for name in names]


def names_of_externals() -> list[Any]:
    reason = f"the external data set {EXTERNAL} is absent: set ABACI_DATA"
    absent = pytest.param("", marks=[pytest.mark.external, pytest.mark.skip(reason=reason)], id="absent")
    names = dict.fromkeys(name for programs in EXTERNALS.values() for name in programs)
    return [pytest.param(name, marks=pytest.mark.external) for name in names] or [absent]


async def hold(sandbox: Sandbox, hostile: Hostile, canary: Canary) -> None:
    """Fails unless `hostile` is held for its reason, and everybody else works as if nothing had happened."""
    attack = Attack(
        name=hostile.name,
        code=hostile.code.replace("{canary}", str(canary.path)),
        oracle=hostile.oracle,
        reason=hostile.reason,
    )
    limits = Limits(timeout_s=hostile.timeout_s, output_bytes=OUTPUT_BYTES, memory_bytes=hostile.memory_bytes)
    trial = await attempt(attack, sandbox, limits)
    assert trial.flaw is None, trial
    assert canary.value not in str(trial.execution)


@pytest.mark.parametrize("name", names_of_ours())
async def test_a_hostile_program_is_held_for_the_right_reason(sandbox: Sandbox, name: str, canary: Canary) -> None:
    await hold(sandbox, OURS[sandbox.tier][name], canary)


@pytest.mark.parametrize("name", names_of_externals())
async def test_an_attack_of_the_external_corpus_is_held(sandbox: Sandbox, name: str, canary: Canary) -> None:
    await hold(sandbox, EXTERNALS[sandbox.tier][name], canary)
