"""Lock the calling process up before it runs any program. Nothing here can be undone by the process itself."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
from dataclasses import asdict, dataclass

from abaci.sandbox.worker import landlock, seccomp

SCRATCH_BYTES = 64 << 20
"""The size of a session's own `/tmp`, in bytes; it has 4096 entries at most."""
MAX_THREADS = 64
MAX_DESCRIPTORS = 64

_CLONE_NEWUSER, _CLONE_NEWNS = 0x10000000, 0x00020000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_BIND, _MS_REC = 0x1000, 0x4000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 4, 24, 38, 47
_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_MAX_CAPABILITY = 63

_OWN_FILES = (("/tmp", landlock.WRITE), ("/proc", landlock.READ))
"""What only the session itself can open, once it has mounted it."""
_LIMITS_UNKNOWN_TO_GVISOR = {resource.RLIMIT_MSGQUEUE, resource.RLIMIT_RTPRIO, resource.RLIMIT_SIGPENDING}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)


@dataclass(frozen=True)
class Confinement:
    """What a tier asks of each of its sessions; made by the host, read by the zygote.

    Args:
        read_paths: what programs may read: interpreter, libraries, linker cache.
        has_namespaces: give every session a pid, user and mount namespace and a scratch `/tmp` of its own.
        is_landlock_required: refuse to run without Landlock (it is the only thing between a program and the files).
        user: the user and group id to change to, for a zygote with the privilege to do so.
    """

    read_paths: tuple[str, ...]
    has_namespaces: bool
    is_landlock_required: bool
    user: int | None = None

    def to_json(self) -> str:
        """For the zygote's command line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Confinement:
        """Back from `to_json`."""
        fields = json.loads(text)
        return Confinement(**{**fields, "read_paths": tuple(fields["read_paths"])})


class LockUp:
    """The lock-up of sessions. What does not depend on the session is worked out here, once, before any fork.

    Raises:
        OSError: a path that programs may read cannot be opened.
    """

    def __init__(self, confinement: Confinement) -> None:
        self._confinement = confinement
        self._hidden = _below_scratch(confinement.read_paths) if confinement.has_namespaces else ()
        self._limits = _resource_limits()
        self._rules = _file_rules(confinement) if confinement.is_landlock_required or landlock.version() > 0 else None
        # In a namespace of its own every session is process 1.
        self._filter = _filter_for(1, confinement) if confinement.has_namespaces else None

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What has to be open when it is applied, and no longer."""
        return () if self._rules is None else self._rules.descriptors

    def apply(self) -> None:
        """Lock the calling process up, in the one order that works: identity, namespaces, limits, capabilities, files,
        system calls.

        Raises:
            OSError: a step was refused; the process must not run any program.
        """
        confinement = self._confinement
        if confinement.user is not None:
            change_user(confinement.user)
        _be_killed_first()
        if confinement.has_namespaces:
            _own_namespaces(self._hidden)
        _limit_resources(self._limits)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        drop_capabilities()
        _prctl(_PR_SET_DUMPABLE, 0)
        # Changes of identity clear this flag, so it comes after them.
        die_with_parent()
        if self._rules is not None:
            landlock.restrict(self._rules, _OWN_FILES if confinement.has_namespaces else ())
        seccomp.apply_filter(self._filter or _filter_for(os.getpid(), confinement))


def change_user(user: int) -> None:
    """Become `user` (and the group of that number), with no other group.

    Raises:
        OSError: not privileged to, or the id does not exist in this user namespace.
    """
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    # The change makes /proc/self belong to root, and the next step writes there.
    _prctl(_PR_SET_DUMPABLE, 1)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends.

    Raises:
        OSError: never, on any kernel this package runs on.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _be_killed_first() -> None:
    """Have the kernel, out of memory, kill this process before any other of the machine or of its control group."""
    # Where there is nothing to write to, the limits hold all the same.
    with contextlib.suppress(OSError):
        _write("/proc/self/oom_score_adj", "1000")


def drop_capabilities() -> None:
    """Give up every capability, in every set.

    Raises:
        OSError: the kernel refuses.
    """
    # gVisor's kernel has no ambient set, and says that the argument is invalid.
    if _libc.prctl(_PR_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL, 0, 0, 0):
        _check(0 if ctypes.get_errno() == errno.EINVAL else -1, "prctl PR_CAP_AMBIENT")
    for capability in range(_MAX_CAPABILITY + 1):
        # It refuses beyond the last one that the kernel knows, and at once where the right to drop was never there;
        # that is no loss, because with no_new_privs the bounding set grants nothing.
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            break
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, none), "capset")


def _own_namespaces(hidden_paths: tuple[str, ...]) -> None:
    """A user and a mount namespace for this process alone (the fork made its pid namespace), and a scratch /tmp."""
    user, group = os.geteuid(), os.getegid()
    _check(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS), "unshare")
    for path, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        _write(f"/proc/self/{path}", text)
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    hidden = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in hidden_paths]
    _mount("/tmp", flags, f"size={SCRATCH_BYTES},nr_inodes=4096,mode=700")
    for path, descriptor in hidden:
        _show_again(path, descriptor)
    _mount("/proc", flags | _MS_RDONLY, "size=4096,nr_inodes=2,mode=555")
    os.chdir("/tmp")


def _below_scratch(read_paths: tuple[str, ...]) -> tuple[str, ...]:
    """Libraries that the scratch `/tmp` would hide (abaci is installed below `/tmp`)."""
    outermost: list[str] = []
    for path in sorted(os.path.realpath(path) for path in read_paths if os.path.exists(path)):
        is_covered = any(path == other or path.startswith(f"{other}/") for other in outermost)
        if path.startswith("/tmp/") and not is_covered:
            outermost.append(path)
    return tuple(outermost)


def _show_again(path: str, descriptor: int) -> None:
    """Mount what `descriptor` holds at `path`; it stays read-only, as bubblewrap mounted it."""
    if os.path.isdir(f"/proc/self/fd/{descriptor}"):
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    source = f"/proc/self/fd/{descriptor}".encode()
    _check(_libc.mount(source, path.encode(), None, ctypes.c_ulong(_MS_BIND | _MS_REC), None), f"mount {path}")
    os.close(descriptor)


def _resource_limits() -> list[tuple[int, int]]:
    """Everything but the memory, which the first program's limits decide."""
    fixed = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: SCRATCH_BYTES,
        resource.RLIMIT_NOFILE: MAX_DESCRIPTORS,
        resource.RLIMIT_NPROC: MAX_THREADS,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_RTPRIO: 0,
        resource.RLIMIT_SIGPENDING: 256,
    }
    hard = {limit: resource.getrlimit(limit)[1] for limit in fixed}
    return [(limit, _lower(value, hard[limit])) for limit, value in fixed.items()]


def _lower(value: int, hard: int) -> int:
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _limit_resources(limits: list[tuple[int, int]]) -> None:
    for limit, value in limits:
        try:
            resource.setrlimit(limit, (value, value))
        except ValueError as error:
            # Python's name for EPERM. Linux never refuses to lower a limit; gVisor those on what it does not have.
            if limit not in _LIMITS_UNKNOWN_TO_GVISOR:
                raise PermissionError(errno.EPERM, f"limit {limit} cannot be set") from error


def _file_rules(confinement: Confinement) -> landlock.Rules:
    rules = [(path, landlock.READ) for path in confinement.read_paths]
    rules += [("/dev/null", landlock.WRITE), ("/dev/zero", landlock.READ), ("/dev/urandom", landlock.READ)]
    return landlock.prepare(rules)


def _filter_for(pid: int, confinement: Confinement) -> bytes:
    # Threads are allowed where their number can be bounded: the count is per user namespace, and there every session
    # has its own. Elsewhere it is per user of the machine, and one session could take them all.
    return seccomp.compile_filter(pid, are_threads_allowed=confinement.has_namespaces)


def _mount(target: str, flags: int, options: str) -> None:
    arguments = (b"tmpfs", target.encode(), b"tmpfs", ctypes.c_ulong(flags), options.encode())
    _check(_libc.mount(*arguments), f"mount {target}")


def _write(path: str, text: str) -> None:
    # Not `open`, whose layers of buffering and text cost every new session more than the write.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, value, 0, 0, 0), f"prctl {option}")


def _check(answer: int, what: str) -> None:
    if answer != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
