"""Run the generator's own programs, in a pool of processes. For trusted code only: model text goes to the sandbox."""

from __future__ import annotations

import contextlib
import importlib
import io
import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from types import FrameType

LIMIT_S = 60
"""Seconds a program may take; more means that its family is broken."""


def run(program: str) -> tuple[str, str | None]:
    """What `program` prints, and the last line of its traceback or None."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), _limit(LIMIT_S):
            exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})  # noqa: S102
    except Exception as error:  # noqa: BLE001 - any failure of the program is its result
        return printed.getvalue().strip(), f"{type(error).__name__}: {error}".strip()
    return printed.getvalue().strip(), None


@contextlib.contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """Raise `TimeoutError` in this process after `seconds`."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run_all(programs: Iterable[str], workers: int) -> Iterator[tuple[str, str | None]]:
    """`run` for each program, in order, on `workers` processes."""
    if workers <= 1:
        yield from map(run, programs)
        return
    # Imported here so that the forked workers need not load it again and again.
    importlib.import_module("sympy")
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        yield from pool.imap(run, programs, chunksize=64)
