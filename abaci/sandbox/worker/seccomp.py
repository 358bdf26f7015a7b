"""The system calls a session may make: an allow-list, compiled to a classic BPF program.

Assembled here rather than by libseccomp because that library is a system package: where it is absent there would be no
sandbox at all, or an unsafe one. The filter is a binary search over ranges of numbers; a test runs it on every number,
and compares the numbers below with libseccomp's own wherever that is installed.

Everything not listed fails with EPERM, so that a program sees a `PermissionError` and goes on. A foreign architecture
(32-bit calls on a 64-bit kernel) kills the process: no honest program makes such a call.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import platform
import signal
import struct
from collections.abc import Iterable, Mapping

ALLOWED: dict[str, tuple[int, int | None]] = {
    # name: (number on x86-64, number on arm64, None where that architecture has no such call)
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67), "pwrite64": (18, 68),
    "lseek": (8, 62), "close": (3, 57), "close_range": (436, 436), "dup": (32, 23), "dup2": (33, None),
    "dup3": (292, 24), "pipe": (22, None), "pipe2": (293, 59), "poll": (7, None), "ppoll": (271, 73),
    "select": (23, None), "pselect6": (270, 72),
    # files: which ones is Landlock's business
    "open": (2, None), "openat": (257, 56), "stat": (4, None), "fstat": (5, 80), "lstat": (6, None),
    "newfstatat": (262, 79), "statx": (332, 291), "access": (21, None), "faccessat": (269, 48),
    "faccessat2": (439, 439), "readlink": (89, None), "readlinkat": (267, 78), "getcwd": (79, 17), "chdir": (80, 49),
    "fchdir": (81, 50), "getdents": (78, None), "getdents64": (217, 61), "statfs": (137, 43), "fstatfs": (138, 44),
    "ftruncate": (77, 46), "fsync": (74, 82), "fdatasync": (75, 83), "unlink": (87, None), "unlinkat": (263, 35),
    "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None), "rename": (82, None), "renameat": (264, 38),
    "renameat2": (316, 276), "umask": (95, 166),
    # memory and threads: bounded by resource limits
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "mremap": (25, 216), "brk": (12, 214),
    "madvise": (28, 233), "mincore": (27, 232), "futex": (202, 98), "futex_waitv": (449, 449),
    "set_robust_list": (273, 99), "get_robust_list": (274, 100), "rseq": (334, 293), "set_tid_address": (218, 96),
    "membarrier": (324, 283), "sched_yield": (24, 124), "getcpu": (309, 168),
    # time
    "nanosleep": (35, 101), "gettimeofday": (96, 169), "time": (201, None), "times": (100, 153),
    "getrusage": (98, 165), "alarm": (37, None), "setitimer": (38, 103), "getitimer": (36, 102), "pause": (34, None),
    # who and where am I
    "getpid": (39, 172), "gettid": (186, 178), "getppid": (110, 173), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getgroups": (115, 158), "getresuid": (118, 148),
    "getresgid": (120, 150), "getpgrp": (111, None), "capget": (125, 90), "uname": (63, 160),
    "sysinfo": (99, 179), "getrandom": (318, 278), "getrlimit": (97, 163), "setrlimit": (160, 164),
    # its own signals
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136),
    "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132),
    "restart_syscall": (219, 128), "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
"""Allowed whatever their arguments are."""

CHECKED: dict[str, tuple[int, int]] = {
    "clone": (56, 220), "clone3": (435, 435), "kill": (62, 129), "tgkill": (234, 131), "prctl": (157, 167),
    "prlimit64": (302, 261), "fcntl": (72, 25), "ioctl": (16, 29), "getpgid": (121, 155), "getsid": (124, 156),
    "getpriority": (140, 141), "sched_getaffinity": (204, 123), "clock_gettime": (228, 113),
    "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
}  # fmt: skip
"""Allowed for some arguments only: see `_checked`."""

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine name → (column in the tables above, the kernel's AUDIT_ARCH constant)."""

# A thread with descriptors or a working directory of its own would have limits of its own too.
_CLONE_THREAD = 0x00010000 | 0x00000400 | 0x00000200  # CLONE_THREAD, CLONE_FILES, CLONE_FS
_CLONE_NEW_NAMESPACE = 0x7E020000
_PR_SET_NAME, _PR_GET_NAME = 15, 16
# F_DUPFD to F_SETFL and F_DUPFD_CLOEXEC; no locks, by which two sessions could signal each other on a library's file,
# and not F_SETOWN, which sends signals.
_FCNTL_ALLOWED = (0, 1, 2, 3, 4, 1030)
# The clocks of the machine, and the processor time of this process and thread: a negative number with another process
# in it would be that one's.
_CLOCKS_ALLOWED = (*range(12), 0xFFFFFFFA, 0xFFFFFFFE)
_IOCTL_ALLOWED = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS TIOCGWINSZ FIONREAD FIONBIO FIONCLEX FIOCLEX

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_OFFSET, _ARCH_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16

_ANY_PID = 0x7ABAC1DD
"""No process has this number, and no other constant of the program contains it."""
_CONSTANT = struct.Struct("=I")

Instruction = tuple[int, int, int, int]
"""Classic BPF: operation, jump if true, jump if false, constant."""


class _SockFprog(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


_libc = ctypes.CDLL(None, use_errno=True)


def compile_filter(pid: int, *, are_threads_allowed: bool, machine: str | None = None) -> bytes:
    """The BPF program for the process `pid` (its id as it sees it itself), 8 bytes an instruction.

    Raises:
        OSError: the machine's architecture is not one of `ARCHITECTURES`.
    """
    program = _compile_for_any(are_threads_allowed, machine or platform.machine())
    return program.replace(_CONSTANT.pack(_ANY_PID), _CONSTANT.pack(pid))


@functools.cache
def _compile_for_any(are_threads_allowed: bool, machine: str) -> bytes:
    """The program with `_ANY_PID` wherever the process's own id belongs: all but that is the same for every session."""
    if machine not in ARCHITECTURES:
        raise OSError(
            errno.ENOSYS, f"no system-call table for {machine}: only {', '.join(ARCHITECTURES)} are supported"
        )
    column, architecture = ARCHITECTURES[machine]
    blocks = {numbers[column]: [(_RETURN, 0, 0, _ALLOW)] for numbers in ALLOWED.values()}
    blocks |= {CHECKED[name][column]: block for name, block in _checked(_ANY_PID, are_threads_allowed).items()}
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH_OFFSET),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
        *_search(_ranges(blocks)),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def apply_filter(program: bytes) -> None:
    """Put this process, for ever, under `program`. `no_new_privs` must be set.

    Raises:
        OSError: the kernel refuses: seccomp is not built in, or an outer sandbox forbids it.
    """
    fprog = _SockFprog(len(program) // 8, program)
    set_seccomp, mode_filter = 22, 2
    if _libc.prctl(set_seccomp, ctypes.c_ulong(mode_filter), ctypes.byref(fprog), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        number = ctypes.get_errno()
        raise OSError(number, f"the kernel refuses a seccomp filter (errno {number})")


def _ranges(blocks: Mapping[int | None, list[Instruction]]) -> list[tuple[int, list[Instruction]]]:
    """Ranges of numbers with the same verdict: where each begins, in order, and what decides it. The last one is open,
    and so refuses the x32 calls of x86-64, which share its architecture value and begin at 0x40000000."""
    refuse = [(_RETURN, 0, 0, _errno(errno.EPERM))]
    last = max(number for number in blocks if number is not None)
    ranges: list[tuple[int, list[Instruction]]] = []
    for number in range(last + 2):
        block = blocks.get(number, refuse)
        if not ranges or ranges[-1][1] != block:
            ranges.append((number, block))
    return ranges


def _search(ranges: list[tuple[int, list[Instruction]]]) -> list[Instruction]:
    """A binary search. The kernel runs a new filter once for every system call there is, to remember what is always
    allowed: with comparisons in a line a session's start took 0.06 to 0.1 ms longer."""
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    below = _search(ranges[:middle])
    return [(_JUMP_AT_LEAST, len(below), 0, ranges[middle][0]), *below, *_search(ranges[middle:])]


def _checked(pid: int, are_threads_allowed: bool) -> dict[str, list[Instruction]]:
    """What decides each call of `CHECKED`; every block ends in a return. Arguments are compared by their low 32 bits,
    which is all the kernel reads of each of them."""
    no_thread = _errno(0 if are_threads_allowed else errno.EAGAIN)
    return {
        # Threads, never processes; EAGAIN is what Python reports as "can't start new thread".
        "clone": [
            _argument(0),
            (_AND, 0, 0, _CLONE_THREAD | _CLONE_NEW_NAMESPACE),
            (_JUMP_EQUAL, 0, 1, _CLONE_THREAD),
            (_RETURN, 0, 0, no_thread),
            (_RETURN, 0, 0, _errno(errno.EPERM)),
        ],
        # Its flags lie in memory, where a filter cannot look: libc falls back to clone.
        "clone3": [(_RETURN, 0, 0, _errno(errno.ENOSYS))],
        # To itself only. SIGKILL not even to itself, so that a session killed by it was killed from outside.
        "kill": _to_itself(pid, signal_argument=1),
        "tgkill": _to_itself(pid, signal_argument=2),
        "prctl": _one_of(0, (_PR_SET_NAME, _PR_GET_NAME)),
        "prlimit64": _one_of(0, (0, pid)),
        # Of itself: without namespaces others answer too, and tell that they are there.
        **{name: _one_of(0, (0, pid)) for name in ("getpgid", "getsid", "sched_getaffinity")},
        "getpriority": _one_of(1, (0, pid)),
        **{name: _one_of(0, _CLOCKS_ALLOWED) for name in ("clock_gettime", "clock_getres", "clock_nanosleep")},
        "fcntl": _one_of(1, _FCNTL_ALLOWED),
        "ioctl": _one_of(1, _IOCTL_ALLOWED),
    }


def _errno(number: int) -> int:
    return _ALLOW if number == 0 else _ERRNO | number


def _argument(index: int) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS_OFFSET + 8 * index)


def _one_of(index: int, values: Iterable[int]) -> list[Instruction]:
    """Allow when argument `index` is one of `values`."""
    block = [_argument(index)]
    for value in values:
        block += [(_JUMP_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    return [*block, (_RETURN, 0, 0, _errno(errno.EPERM))]


def _to_itself(pid: int, signal_argument: int) -> list[Instruction]:
    """Allow when argument 0 is `pid` and the signal is not SIGKILL."""
    return [
        _argument(0),
        (_JUMP_EQUAL, 0, 2, pid),
        _argument(signal_argument),
        (_JUMP_EQUAL, 0, 1, signal.SIGKILL),
        (_RETURN, 0, 0, _errno(errno.EPERM)),
        (_RETURN, 0, 0, _ALLOW),
    ]
