"""The first process of a container: fetches the control channel, starts the zygote on it, and ends with either side.

When it ends, the kernel ends every process of the container, and the container is gone.
"""

from __future__ import annotations

import os
import select
import socket
import traceback
from typing import NoReturn

SOCKET_PATH = "/run/abaci/keeper"
"""Where the keeper outside waits for one connection. It sends the control channel over it, and keeps it open."""


def serve(confinement_json: str) -> None:
    """Until the zygote or the keeper ends."""
    with socket.socket(socket.AF_UNIX) as lifeline:
        lifeline.connect(SOCKET_PATH)
        _, descriptors, _, _ = socket.recv_fds(lifeline, 1, 1)
        (control_fd,) = descriptors
        pid = os.fork()
        if pid == 0:
            lifeline.close()
            _be_zygote(control_fd, confinement_json)
        os.close(control_fd)
        poll = select.poll()
        poll.register(lifeline, select.POLLIN)
        poll.register(os.pidfd_open(pid), select.POLLIN)
        poll.poll()


def _be_zygote(control_fd: int, confinement_json: str) -> NoReturn:
    # Imported here: the attendant itself stays small.
    from abaci.sandbox.worker.zygote import serve as serve_zygote

    try:
        serve_zygote(control_fd, os.getppid(), confinement_json)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()  # The keeper passes it on to the host.
    os._exit(0)
