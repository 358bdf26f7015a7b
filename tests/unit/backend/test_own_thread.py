"""A function on its own thread: its result, its failure, its bound."""

from __future__ import annotations

import asyncio
import threading

import pytest

from abaci.backend.own_thread import OwnThread


async def test_the_result_arrives_and_the_thread_is_gone() -> None:
    assert await OwnThread("answering", lambda: 42).result(20) == 42
    assert "answering" not in {thread.name for thread in threading.enumerate()}


async def test_its_failure_is_raised_where_the_result_is_awaited() -> None:
    def fail() -> None:
        raise ValueError("as planned")

    with pytest.raises(ValueError, match="as planned"):
        await OwnThread("failing", fail).result(20)


async def test_waiting_is_bounded() -> None:
    release = threading.Event()
    thread = OwnThread("waiting", lambda: release.wait(20))
    with pytest.raises(TimeoutError):
        await thread.result(0.01)
    release.set()
    assert await thread.result(20)


async def test_cancelling_the_wait_leaves_the_thread_alone() -> None:
    release = threading.Event()
    thread = OwnThread("going-on", lambda: release.wait(20))
    waiter = asyncio.create_task(thread.result(20))
    await asyncio.sleep(0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    release.set()
    assert await thread.result(20)
