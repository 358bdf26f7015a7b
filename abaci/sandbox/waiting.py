"""Bounded waits for descriptors on the event loop. A pidfd is readable once its process has ended."""

from __future__ import annotations

import asyncio
import select


async def readable_within(descriptor: int, timeout_s: float) -> bool:
    """Whether `descriptor` became readable within `timeout_s` seconds; nobody else may be waiting for it."""
    # Not `select`, which knows the first 1024 descriptors only.
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if poll.poll(0):
        return True
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _resolve, readable)
    try:
        async with asyncio.timeout(timeout_s):
            await readable
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
    return True


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
