"""The keeper: a small process beside the host that owns one container, from its creation to its removal.

It is the host's child, so a host that is killed takes nothing down with it: the keeper sees the control channel hang up
and removes the container. Should the keeper be killed too, the container's first process sees that, and ends the
container; the engine then removes it. What even that leaves behind is removed at the next start (`Engine.reap`).

Run as `python -m abaci.sandbox.container.keeper JSON`; the control channel's descriptor is in the JSON.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from abaci.errors import SandboxError
from abaci.sandbox.container.bridge import Bridge
from abaci.sandbox.container.engine import ContainerSpec, Engine
from abaci.sandbox.container.wrapping import Unwrapper
from abaci.sandbox.worker.attendant import SOCKET_PATH


@dataclass(frozen=True)
class Task:
    """What the host asks of its keeper."""

    spec: ContainerSpec
    control_fd: int
    belongs_to: str
    is_bridged: bool
    """Whether every byte goes over the container's own streams, since it takes no descriptors."""

    def to_json(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Task:
        """Back from `to_json`."""
        fields = json.loads(text)
        spec = fields.pop("spec")
        return Task(spec=ContainerSpec(**{**spec, "hidden": tuple(spec["hidden"])}), **fields)


def main() -> None:
    """Keep one container, as the command line says, until it or the host ends."""
    # Ctrl-C is the host's business; what is left of it is cleaned up here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    task = Task.from_json(sys.argv[1])
    with socket.socket(fileno=task.control_fd) as control:
        try:
            with Engine() as engine:
                engine.reap()
                if task.is_bridged:
                    _keep_bridged(engine, task, control)
                else:
                    _keep(engine, task, control)
        except SandboxError as error:
            # The host reads it, where it still waits for the start.
            sys.exit(str(error))


def _keep(engine: Engine, task: Task, control: socket.socket) -> None:
    """Hand the control channel itself into the container: from then on, host and zygote speak without us."""
    with _meeting_point() as (folder, listener):
        spec = replace(task.spec, mounts={str(Path(SOCKET_PATH).parent): folder})
        with _running(engine, spec, task.belongs_to) as streams:
            if not _wait_for(listener, control, streams):
                return
            lifeline, _ = listener.accept()
            with lifeline:
                socket.send_fds(lifeline, [b"c"], [control.fileno()])
                # Nobody else may come, and nothing is left to clean up should we be killed.
                listener.close()
                shutil.rmtree(Path(folder).parent, ignore_errors=True)
                # Readable at its end, which comes with the container's, and before the engine knows.
                _wait_for(lifeline, control, streams)
                _hang_up(control)


def _keep_bridged(engine: Engine, task: Task, control: socket.socket) -> None:
    with _running(engine, task.spec, task.belongs_to) as streams:
        Bridge(control, streams.fileno(), Unwrapper(sys.stderr.fileno())).serve()
        _hang_up(control)


@contextmanager
def _running(engine: Engine, spec: ContainerSpec, belongs_to: str) -> Iterator[socket.SocketIO]:
    """A started container's streams; it is gone afterwards."""
    container = engine.create(spec, belongs_to)
    try:
        with engine.attach(container, has_stdin=spec.has_stdin) as streams:
            engine.start(container)
            yield streams
    finally:
        engine.remove(container)
        engine.reap()


@contextmanager
def _meeting_point() -> Iterator[tuple[str, socket.socket]]:
    """A private folder with a listening socket in it, which the container's first process connects to."""
    # Nobody else of this machine gets through the outer folder, and the container's user does not need to.
    outer = tempfile.mkdtemp(prefix="abaci-")
    try:
        folder = os.path.join(outer, "container")
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        with socket.socket(socket.AF_UNIX) as listener:
            path = os.path.join(folder, Path(SOCKET_PATH).name)
            listener.bind(path)
            os.chmod(path, 0o666)
            listener.listen(1)
            yield folder, listener
    finally:
        shutil.rmtree(outer, ignore_errors=True)


def _wait_for(awaited: socket.socket, control: socket.socket, streams: socket.SocketIO) -> bool:
    """Wait until `awaited` is readable; False: the host or the container is gone before that.

    What the container prints meanwhile goes to our standard error.
    """
    poll = select.poll()
    poll.register(awaited, select.POLLIN)
    poll.register(control, 0)  # Its end only; what is said on it is not for us.
    poll.register(streams, select.POLLIN)
    unwrap = Unwrapper(sys.stderr.fileno())
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if control.fileno() in ready:
            return False
        if streams.fileno() in ready and not _pass_on(streams, unwrap):
            return False
        if awaited.fileno() in ready:
            return True


def _pass_on(streams: socket.SocketIO, unwrap: Unwrapper) -> bool:
    """Unwrap what the container printed; False at its end."""
    try:
        data = os.read(streams.fileno(), 1 << 16)
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    unwrap(data)
    return bool(data)


def _hang_up(control: socket.socket) -> None:
    """Tell the host at once that the zygote is gone, not only when its container has been cleared away."""
    with suppress(OSError):
        control.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    main()
