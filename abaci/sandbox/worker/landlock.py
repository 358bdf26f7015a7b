"""Landlock: the kernel's own allow-list of files for a process (kernel 5.13 and newer, no privilege needed).

By bare system calls: the Python bindings on PyPI are pre-releases, and three calls are all it takes. Source: the
kernel's `Documentation/userspace-api/landlock.rst` and `include/uapi/linux/landlock.h`.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_QUERY, _RULE_PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_RIGHTS_OF_VERSION = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many file rights each version of the interface knows; they are the lowest bits (…, refer, truncate, ioctl)."""
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | 1 << 15
"""The rights that make sense on something that is not a directory."""
_ALL_NETWORK = 0b11
_ALL_SCOPES = 0b11

READ = _EXECUTE | _READ_FILE | _READ_DIR
"""Read files, list folders, map libraries."""
WRITE = ((1 << 15) - 1) & ~_EXECUTE
"""All but execute, within version 3; of these the kernel's version keeps what it knows."""

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """The kernel's Landlock version; 0 where it has none or it is switched off."""
    answer: int = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION_QUERY))
    return max(answer, 0)


def restrict(rules: Iterable[tuple[str, int]]) -> None:
    """Leave this process only the files under the paths of `rules`, each with its rights; no TCP, no foreign signals.

    Paths that do not exist are left out. The network and signal parts need version 4 and 6. For ever, and for children.

    Raises:
        OSError: the kernel refuses, or has no Landlock.
    """
    known = version()
    handled = (1 << max((n for v, n in _RIGHTS_OF_VERSION.items() if v <= known), default=0)) - 1
    attributes = struct.pack("=QQQ", handled, _ALL_NETWORK if known >= 4 else 0, _ALL_SCOPES if known >= 6 else 0)
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    ruleset = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint(0))
    try:
        for path, rights in rules:
            _allow(ruleset, path, rights & handled)
        _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _FILE_RIGHTS
        rule = struct.pack("=Qi", rights, descriptor)
        _call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_RULE_PATH_BENEATH), rule, ctypes.c_uint(0))
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    answer: int = _libc.syscall(ctypes.c_long(number), *arguments)
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return answer
