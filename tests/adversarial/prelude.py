"""What hostile programs have at hand. It is put before each of them and runs inside the session, never on the host."""
# ruff: noqa: T201

import ctypes
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
buffer = ctypes.create_string_buffer(4096)
address = ctypes.addressof(buffer)
# Where every session is process 1 of its own, itself is the only process that it can name.
other = os.getppid() or 1


def check(answer):
    """The answer of a function of libc; its errno as an OSError where it failed."""
    if answer == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer


def call(number, *arguments):
    """The system call `number`: one number, or a pair of those of x86-64 and arm64."""
    if isinstance(number, tuple):
        number = number[platform.machine() == "aarch64"]
    longs = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    ctypes.set_errno(0)
    return check(libc.syscall(ctypes.c_long(number), *longs))


def map_memory(size, flags=0x22, protection=3, descriptor=-1):
    """The address of fresh memory, private and writable unless `flags` and `protection` say otherwise."""
    start = libc.mmap(None, size, protection, flags, descriptor, 0)
    return check(-1 if start == 2**64 - 1 else start)


def all_refused(errnos, *attempts):
    """Print `all refused` where each of `attempts` fails with one of `errnos`; PWNED where one of them succeeds."""
    for position, attempt in enumerate(attempts):
        try:
            value = attempt()
        except OSError as error:
            if error.errno not in errnos:
                print("attempt", position, "failed for another reason:", error)
                return
        else:
            print("PWNED by attempt", position, value)
            return
    print("all refused")


def opens(path, flags=os.O_RDONLY):
    """An attempt to open `path`."""
    return lambda: os.open(path, flags)
