"""What bounds the chains of a run: the deadline, the tokens, and the switch that stops them all."""

from __future__ import annotations

import asyncio

import pytest

from abaci.agents.scope import ChainInterrupted, RunScope
from abaci.types import Budget, StopReason


async def wait_in(scope: RunScope) -> StopReason | None:
    try:
        async with scope.chain():
            await asyncio.sleep(30)
    except ChainInterrupted as interruption:
        return interruption.reason
    return None


async def test_a_chain_within_its_limits_is_left_alone() -> None:
    scope = RunScope(Budget())
    async with scope.chain():
        await asyncio.sleep(0)
    assert not scope.is_over
    assert not scope.is_spent


async def test_the_deadline_interrupts_every_chain() -> None:
    scope = RunScope(Budget(wall_s=0.05))
    assert await asyncio.gather(wait_in(scope), wait_in(scope)) == [StopReason.WALL_TIME] * 2
    assert scope.is_over


async def test_a_chain_that_starts_after_the_deadline_is_interrupted_at_once() -> None:
    scope = RunScope(Budget(wall_s=0.01))
    await asyncio.sleep(0.02)
    assert await wait_in(scope) is StopReason.WALL_TIME


async def test_settling_stops_every_running_chain() -> None:
    scope = RunScope(Budget())
    chains = [asyncio.create_task(wait_in(scope)) for _ in range(3)]
    await asyncio.sleep(0)
    scope.settle()
    assert await asyncio.gather(*chains) == [StopReason.CANCELLED] * 3


async def test_settling_stops_chains_that_have_not_started() -> None:
    scope = RunScope(Budget())
    scope.settle()
    assert await wait_in(scope) is StopReason.CANCELLED


async def test_settling_twice_is_settling_once() -> None:
    scope = RunScope(Budget())
    chain = asyncio.create_task(wait_in(scope))
    await asyncio.sleep(0)
    scope.settle()
    scope.settle()
    assert await chain is StopReason.CANCELLED


async def test_a_reopened_run_lets_chains_start_again() -> None:
    scope = RunScope(Budget())
    scope.settle()
    scope.reopen()
    async with scope.chain():
        await asyncio.sleep(0)


async def test_a_chain_that_has_ended_is_not_touched_by_settling() -> None:
    scope = RunScope(Budget())
    async with scope.chain():
        pass
    scope.settle()
    await asyncio.sleep(0.01)


async def test_a_timeout_of_the_chain_s_own_is_not_taken_for_the_deadline() -> None:
    scope = RunScope(Budget())
    with pytest.raises(TimeoutError, match="of its own"):
        async with scope.chain():
            raise TimeoutError("of its own")


async def test_cancelling_the_caller_is_cancellation_and_no_interruption() -> None:
    scope = RunScope(Budget())
    chain = asyncio.create_task(wait_in(scope))
    await asyncio.sleep(0)
    chain.cancel()
    with pytest.raises(asyncio.CancelledError):
        await chain


async def test_tokens_are_spent_by_all_chains_together() -> None:
    scope = RunScope(Budget(tokens=10))
    scope.spend(9)
    assert not scope.is_spent
    scope.spend(1)
    assert scope.is_spent


async def test_without_a_token_budget_nothing_is_ever_spent() -> None:
    scope = RunScope(Budget())
    scope.spend(10**9)
    assert not scope.is_spent
