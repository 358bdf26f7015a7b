"""Run a blocking function on a thread of its own, whose end can be awaited and whose failure is not lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")

_LAST_INSTRUCTIONS_S = 5.0
"""Between a thread's result and its end lie a few instructions, however busy the machine is."""


class OwnThread(Generic[T]):
    """`function`, running on a daemon thread called `name` from now on.

    A daemon, so that a process that was interrupted during a long load can end; executors join their threads at exit.
    `future` gets its result or exception as the thread's last act.
    """

    def __init__(self, name: str, function: Callable[[], T]) -> None:
        self._function = function
        self.future: Future[T] = new_future()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def result(self, timeout_s: float) -> T:
        """The function's result, once the thread has ended; cancelling the wait leaves the thread alone.

        Raises:
            TimeoutError: it is still running after `timeout_s` seconds.
        """
        result = await wait(self.future, timeout_s)
        self._thread.join(_LAST_INSTRUCTIONS_S)
        return result

    def _run(self) -> None:
        try:
            result = self._function()
        except BaseException as error:  # noqa: BLE001 - a thread's boundary: whoever holds the future decides
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


def new_future() -> Future[T]:
    """A future for a thread to resolve. It counts as running, so cancelling a waiter cannot cancel it."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()
    return future


async def wait(future: Future[T], timeout_s: float) -> T:
    """The result of `future`, awaited on this event loop.

    Raises:
        TimeoutError: there is none after `timeout_s` seconds.
    """
    async with asyncio.timeout(timeout_s):
        return await asyncio.shield(asyncio.wrap_future(future))
