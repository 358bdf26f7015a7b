"""Landlock: the kernel's own allow-list of files for a process (kernel 5.13 and newer, no privilege needed).

By bare system calls: the Python bindings on PyPI are pre-releases, and three calls are all it takes. Source: the
kernel's `Documentation/userspace-api/landlock.rst` and `include/uapi/linux/landlock.h`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass

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

_RULE = struct.Struct("=Qi")

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """The kernel's Landlock version; 0 where it has none or it is switched off."""
    answer: int = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION_QUERY))
    return max(answer, 0)


@dataclass(frozen=True)
class Rules:
    """What a process is to be left with, in the kernel's own words; made by `prepare`.

    Args:
        attributes: what the rules are about.
        handled: the rights among them that concern files.
        packed: one rule a path. Each names an open descriptor.
    """

    attributes: bytes
    handled: int
    packed: tuple[bytes, ...]

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What has to stay open until the rules are in force."""
        return tuple(_RULE.unpack(rule)[1] for rule in self.packed)


def prepare(rules: Sequence[tuple[str, int]]) -> Rules:
    """Leave a process only the files under the paths of `rules`, each with its rights; no TCP, no foreign signals.

    Paths that do not exist are left out. The network and signal parts need version 4 and 6. The paths are opened here,
    once for all processes that are forked from this one, and stay open.

    Raises:
        OSError: a path cannot be opened.
    """
    known = version()
    handled = (1 << max((n for v, n in _RIGHTS_OF_VERSION.items() if v <= known), default=0)) - 1
    attributes = struct.pack("=QQQ", handled, _ALL_NETWORK if known >= 4 else 0, _ALL_SCOPES if known >= 6 else 0)
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    packed = []
    for path, rights in rules:
        with contextlib.suppress(FileNotFoundError):
            packed.append(_pack(path, rights & handled))
    return Rules(attributes[:size], handled, tuple(packed))


def restrict(rules: Rules, later: Sequence[tuple[str, int]]) -> None:
    """Hold this process to `rules`, and to the paths of `later`, which exist by now. For ever, and for children.

    Raises:
        OSError: the kernel refuses, or has no Landlock.
    """
    ruleset = _call(_CREATE_RULESET, rules.attributes, ctypes.c_size_t(len(rules.attributes)), 0)
    for rule in rules.packed:
        _call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
    for path, rights in later:
        rule = _pack(path, rights & rules.handled)
        _call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
        os.close(_RULE.unpack(rule)[1])
    _call(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _pack(path: str, rights: int) -> bytes:
    """The rule for `path`, which is opened for it."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        rights &= _FILE_RIGHTS
    return _RULE.pack(rights, descriptor)


def _call(number: int, *arguments: object) -> int:
    answer: int = _libc.syscall(number, *arguments)
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return answer
