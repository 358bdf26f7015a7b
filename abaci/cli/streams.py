"""Standard output and standard error where they end early: a reader that has left, a full disk, no stream at all."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

import click


def say(line: str) -> None:
    """Write `line` to standard error where that can be done; work goes on although nobody can be told."""
    with contextlib.suppress(OSError):
        click.echo(line, err=True)


def drop_results() -> None:
    """Let standard output lead nowhere from now on, with what is still to be flushed."""
    if sys.stdout is not None:
        _lead_nowhere(sys.stdout)


def drop_talk_that_is_stuck() -> None:
    """Let standard error lead nowhere if it takes no more: Python's own flush at the end would fail the process."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        _lead_nowhere(sys.stderr)


def _lead_nowhere(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def flush() -> None:
    """Send what is buffered, as far as it can be sent."""
    for stream in (sys.stdout, sys.stderr):
        # A process may have been started with either of them closed.
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.flush()
