"""The host's side of a session whose process is played by whoever writes the bytes: for property tests and fuzzing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Sequence

from abaci.sandbox.base import Limits
from abaci.sandbox.process import Ended, SessionProcess
from abaci.sandbox.worker.wire import Reply, ReplyKind

LIMITS = Limits(timeout_s=5.0)
SERIAL = 1
"""The serial number of the one program that is run."""


async def run_against(chunks: Sequence[bytes], output: bytes = b"") -> tuple[Ended, bool]:
    """Run a program in a session that answers with `chunks` and then hangs up; how it ended, and whether it was alive.

    Everything that the host would hold for such a session is released on return.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    read_fd, write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    ours.setblocking(False)
    theirs.setblocking(False)
    process = SessionProcess(ours, read_fd)
    try:
        theirs.send(Reply(0, ReplyKind.READY).pack())
        await process.ready()
        # What the zygote would say in the end; the host waits a while for it.
        process.exited(0)
        with contextlib.suppress(BlockingIOError):
            os.write(write_fd, output)
        running = asyncio.ensure_future(process.run("1 + 1", LIMITS, 1 << 30))
        await asyncio.sleep(0)
        for chunk in chunks:
            # A full socket, or one that the host has broken off: the rest is lost, as it would be for a process.
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                theirs.send(chunk)
            await asyncio.sleep(0)
        is_alive = process.is_alive
        theirs.close()
        os.close(write_fd)
        write_fd = -1
        return await running, is_alive
    finally:
        theirs.close()
        if write_fd >= 0:
            os.close(write_fd)
        await process.close()
