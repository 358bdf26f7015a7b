"""The zygote: a process that has imported everything once, and forks one process a session when the host asks.

It never runs or even receives a program: code goes from the host straight to the session's own channel.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import resource
import select
import signal
import socket
from dataclasses import dataclass, replace
from typing import NoReturn

from abaci.sandbox.worker.hardening import Confinement, change_user, die_with_parent
from abaci.sandbox.worker.session import NULL_FD, Session, mapped_bytes, reserve_descriptors
from abaci.sandbox.worker.warm import warm_up
from abaci.sandbox.worker.wire import CONTROL_BYTES, Control, ControlKind, parse_control

_CLONE_NEWPID = 0x20000000


def serve(control_fd: int, host_pid: int, confinement_json: str) -> None:
    """Warm up, report ready, and fork sessions until the host closes the control channel.

    Args:
        control_fd: our end of the control channel.
        host_pid: the host's process id where it is our parent, 0 where it is not visible from here.
        confinement_json: what every session is locked up with (`Confinement.to_json`).
    """
    die_with_parent()
    if host_pid and os.getppid() != host_pid:
        return  # The host died before the line above could tie our life to its.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    confinement = _with_usable_user(Confinement.from_json(confinement_json))
    # A handle of every session is open here.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    control_fd = _out_of_the_way(control_fd)
    reserve_descriptors()
    with socket.socket(fileno=control_fd) as control:
        warm_up()
        zygote = Zygote(control, confinement)
        control.send(Control(ControlKind.READY).pack())
        zygote.serve()


@dataclass(frozen=True)
class _Child:
    session: int
    pid: int
    pidfd: int


class Zygote:
    """Forks sessions and reports their ends."""

    def __init__(self, control: socket.socket, confinement: Confinement) -> None:
        self._control = control
        self._children: dict[int, _Child] = {}
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        # Kept to come back to after making a child's namespace: only from its own may a process make another.
        self._own_pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY) if confinement.has_namespaces else None
        self._template = Session(confinement, mapped_bytes())
        # Our own lock, which one thread alone never waits for, need not be given up for a system call.
        self._libc = ctypes.PyDLL(None, use_errno=True)

    def serve(self) -> None:
        """Until the host hangs up; no session is left then."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor != self._control.fileno():
                    self._reap(self._children.pop(descriptor))
                elif not self._answer():
                    self._end_children()
                    return

    def _end_children(self) -> None:
        """Kill what is left; in a pid namespace the kernel does so when we, its first process, end."""
        if self._own_pid_namespace is None:
            for child in self._children.values():
                signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
                os.waitpid(child.pid, 0)

    def _answer(self) -> bool:
        """Handle one packet; False: the host hung up."""
        descriptors = array.array("i")
        space = socket.CMSG_SPACE(2 * descriptors.itemsize)
        packet, ancillary, _, _ = self._control.recvmsg(CONTROL_BYTES, space)
        if not packet:
            return False
        for _, _, data in ancillary:
            descriptors.frombytes(data)
        request = parse_control(packet)
        channel, output = descriptors
        try:
            self._spawn(request.session, channel, output)
        except OSError as error:
            self._control.send(Control(ControlKind.FAILED, request.session, text=str(error)).pack())
        finally:
            os.close(channel)
            os.close(output)
        return True

    def _spawn(self, session: int, channel: int, output: int) -> None:
        pid = self._fork()
        if pid == 0:
            be_session(self._template, channel, output)
        pidfd = os.pidfd_open(pid)
        self._children[pidfd] = _Child(session, pid, pidfd)
        self._poll.register(pidfd, select.POLLIN)
        socket.send_fds(self._control, [Control(ControlKind.SPAWNED, session).pack()], [pidfd])

    def _fork(self) -> int:
        """Fork, into a new pid namespace where the tier has them; there the child is process 1."""
        if self._own_pid_namespace is None:
            return self._bare_fork()
        _check(self._libc.unshare(_CLONE_NEWPID), "unshare")
        pid = 1
        try:
            pid = self._bare_fork()
        finally:
            if pid:
                _check(self._libc.setns(self._own_pid_namespace, _CLONE_NEWPID), "setns")
        return pid

    def _bare_fork(self) -> int:
        """Fork without what `os.fork` does for processes with threads and locks: here is one thread, and it holds none.

        Those hooks write to two hundred pages, each of which the child would copy.
        """
        pid: int = self._libc.fork()
        _check(min(pid, 0), "fork")
        return pid

    def _reap(self, child: _Child) -> None:
        self._poll.unregister(child.pidfd)
        os.close(child.pidfd)
        _, status = os.waitpid(child.pid, 0)
        self._control.send(Control(ControlKind.EXITED, child.session, status).pack())


def be_session(template: Session, channel: int, output: int) -> NoReturn:
    """Run a session in this forked process, and never return into the zygote's code."""
    status = 1
    try:
        template.run(channel, output)
        status = 0
    finally:
        os._exit(status)


def _out_of_the_way(descriptor: int) -> int:
    """`descriptor` by a number that no session uses; the host may have called it by one of theirs."""
    elsewhere = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, NULL_FD + 1)
    os.close(descriptor)
    return elsewhere


def _with_usable_user(confinement: Confinement) -> Confinement:
    """`confinement` with a user that can read the libraries.

    Where folders above the interpreter are closed to other users (`/root`), only a mount namespace gets around them;
    without one, sessions keep our user, and Landlock alone guards the files.

    Raises:
        PermissionError: there is a mount namespace, and the files themselves are closed.
    """
    if confinement.user is None or _can_read(confinement.user, confinement.read_paths):
        return confinement
    if confinement.has_namespaces:
        raise PermissionError(f"user {confinement.user} may not read the libraries: chmod -R o+rX them")
    return replace(confinement, user=None)


def _can_read(user: int, paths: tuple[str, ...]) -> bool:
    """Whether `user` can read all of `paths` that exist, found out by trying in a forked process."""
    existing = [path for path in paths if os.path.exists(path)]
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            change_user(user)
            status = 0 if all(os.access(path, os.R_OK) for path in existing) else 1
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1] == 0


def _check(answer: int, what: str) -> None:
    if answer != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
