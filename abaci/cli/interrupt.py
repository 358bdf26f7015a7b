"""Run a coroutine so that Ctrl-C ends it in an orderly way, and in bounded time."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from abaci.cli.exits import EXIT_INTERRUPTED
from abaci.cli.streams import say

T = TypeVar("T")

RUN_GRACE_S: Final = 1.2
"""How long a run may take to be cancelled and to close its trace after the first signal."""
START_GRACE_S: Final = 0.3
"""The same where no run goes on: imports and loading models cannot be stopped, and there is nothing to keep."""

FAREWELL: Final = "abaci: interrupted"

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR: Final = b"\x1b[?25h"


def run_interruptibly(
    coroutine: Coroutine[Any, Any, T],
    choose_grace_s: Callable[[], float] = lambda: START_GRACE_S,
    farewell: Callable[[], str] = lambda: FAREWELL,
) -> T:
    """The result of `coroutine`; SIGINT and SIGTERM cancel it, and a second one ends the process at once.

    What has not ended `choose_grace_s()` seconds after the signal ends with the process, which then says `farewell()`,
    and so does everything that it started: sandboxes die with their owner.

    Raises:
        KeyboardInterrupt: it was cancelled by a signal.
    """
    return asyncio.run(_guard(coroutine, lambda: _end_later(choose_grace_s(), farewell)))


async def _guard(coroutine: Coroutine[Any, Any, T], bound_end: Callable[[], None]) -> T:
    task = asyncio.ensure_future(coroutine)
    with _cancelling_signals(task, bound_end) as received:
        try:
            return await task
        except asyncio.CancelledError as error:
            if not received:
                raise
            raise KeyboardInterrupt from error


@contextmanager
def _cancelling_signals(task: asyncio.Future[Any], bound_end: Callable[[], None]) -> Iterator[list[signal.Signals]]:
    """Lets signals cancel `task` while the context is open; gives the list of those received.

    `bound_end` is called at the first one, to bound what comes after.
    """
    loop = asyncio.get_running_loop()
    received: list[signal.Signals] = []

    def on_signal(number: signal.Signals) -> None:
        received.append(number)
        if len(received) > 1:
            _end_process()
        bound_end()
        task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield received
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _end_later(grace_s: float, farewell: Callable[[], str]) -> None:
    """End the process in `grace_s` seconds; never called off, so that the interpreter's own end is bounded too."""

    def end() -> None:
        time.sleep(grace_s)
        say(farewell())
        _end_process()

    threading.Thread(target=end, name="bounded end", daemon=True).start()


def _end_process() -> None:
    """End without running anything else, but leave the terminal usable."""
    if os.isatty(2):
        os.write(2, _SHOW_CURSOR)
    os._exit(EXIT_INTERRUPTED)
