"""The system-call filter, run in a small BPF machine of our own, and compared with libseccomp's numbers."""

from __future__ import annotations

import errno
import signal
import struct

import pytest

from abaci.sandbox.worker.seccomp import ALLOWED, ARCHITECTURES, CHECKED, compile_filter

ALLOW, KILL = 0x7FFF0000, 0x80000000
PID = 4711


def decide(program: bytes, number: int, *arguments: int, architecture: int = 0xC000003E) -> int:
    """The verdict of the BPF `program` on one system call."""
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, architecture, 0, *(*arguments, *[0] * (6 - len(arguments))))
    accumulator, counter = 0, 0
    while True:
        operation, if_true, if_false, constant = struct.unpack_from("=HBBI", program, 8 * counter)
        counter += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, constant)
            case 0x54:
                accumulator &= constant
            case 0x15:
                counter += if_true if accumulator == constant else if_false
            case 0x35:
                counter += if_true if accumulator >= constant else if_false
            case 0x06:
                return constant
            case _:
                pytest.fail(f"unknown operation {operation:#x}")


def refused(number: int) -> int:
    return 0x00050000 | number


@pytest.fixture(scope="module", params=ARCHITECTURES)
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def column_of(machine: str) -> tuple[int, int]:
    return ARCHITECTURES[machine]


def test_filters_of_two_processes_differ_in_their_own_numbers_only(machine: str) -> None:
    one, other = (
        list(struct.iter_unpack("=HBBI", compile_filter(pid, are_threads_allowed=True, machine=machine)))
        for pid in (1, PID)
    )
    different = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    assert different
    assert all(a[:3] == b[:3] and (a[3], b[3]) == (1, PID) for a, b in different)


def test_every_listed_call_is_allowed(machine: str) -> None:
    column, architecture = column_of(machine)
    program = compile_filter(PID, are_threads_allowed=True, machine=machine)
    numbers = [both[column] for both in ALLOWED.values()]
    assert all(decide(program, n, architecture=architecture) == ALLOW for n in numbers if n is not None)


def test_every_unlisted_call_is_refused_with_eperm(machine: str) -> None:
    column, architecture = column_of(machine)
    program = compile_filter(PID, are_threads_allowed=True, machine=machine)
    listed = {both[column] for both in (*ALLOWED.values(), *CHECKED.values())}
    for number in set(range(512)) - listed:
        assert decide(program, number, architecture=architecture) == refused(errno.EPERM)


def test_a_foreign_architecture_is_killed(machine: str) -> None:
    program = compile_filter(PID, are_threads_allowed=True, machine=machine)
    assert decide(program, 0, architecture=0x40000003) == KILL


def test_the_x32_calls_are_refused() -> None:
    program = compile_filter(PID, are_threads_allowed=True, machine="x86_64")
    assert decide(program, 0x40000000) == refused(errno.EPERM)


def test_an_unknown_machine_is_an_error_and_not_an_open_door() -> None:
    with pytest.raises(OSError, match="riscv64"):
        compile_filter(PID, are_threads_allowed=True, machine="riscv64")


@pytest.mark.parametrize(
    ("name", "arguments", "verdict"),
    [
        ("clone", (0x3D0F00,), ALLOW),  # what pthread_create passes
        ("clone", (signal.SIGCHLD,), refused(errno.EPERM)),  # fork
        ("clone", (0x3D0F00 | 0x10000000,), refused(errno.EPERM)),  # with a new user namespace
        ("clone", (0x4111,), refused(errno.EPERM)),  # vfork
        ("clone3", (), refused(errno.ENOSYS)),
        ("kill", (PID, signal.SIGINT), ALLOW),
        ("kill", (PID, signal.SIGKILL), refused(errno.EPERM)),
        ("kill", (1 if PID != 1 else 2, 0), refused(errno.EPERM)),
        ("kill", (2**64 - 1, signal.SIGTERM), refused(errno.EPERM)),  # everybody
        ("kill", (0, signal.SIGTERM), refused(errno.EPERM)),  # its process group
        ("tgkill", (PID, 9, signal.SIGTERM), ALLOW),
        ("tgkill", (PID, 9, signal.SIGKILL), refused(errno.EPERM)),
        ("tgkill", (9, PID, signal.SIGTERM), refused(errno.EPERM)),
        ("prctl", (15,), ALLOW),
        ("prctl", (22,), refused(errno.EPERM)),
        ("prlimit64", (0, 9), ALLOW),
        ("prlimit64", (1, 9), refused(errno.EPERM)),
        ("fcntl", (1, 3), ALLOW),
        ("fcntl", (1, 8), refused(errno.EPERM)),  # F_SETOWN: signals by another door
        ("fcntl", (1, 6), refused(errno.EPERM)),  # F_SETLK: a lock on a library's file tells another session
        ("clock_gettime", (1, 0), ALLOW),
        ("clock_gettime", (0xFFFFFFFA, 0), ALLOW),  # this process
        ("clock_gettime", (~77 << 3 & 0xFFFFFFFF | 2, 0), refused(errno.EPERM)),  # process 77
        ("getsid", (0,), ALLOW),
        ("getsid", (77,), refused(errno.EPERM)),
        ("getpriority", (0, 77), refused(errno.EPERM)),
        ("sched_getaffinity", (77,), refused(errno.EPERM)),
        ("ioctl", (1, 0x5401), ALLOW),
        ("ioctl", (1, 0x5412), refused(errno.EPERM)),  # TIOCSTI: types into a terminal
    ],
)
def test_arguments_decide(machine: str, name: str, arguments: tuple[int, ...], verdict: int) -> None:
    column, architecture = column_of(machine)
    program = compile_filter(PID, are_threads_allowed=True, machine=machine)
    assert decide(program, CHECKED[name][column], *arguments, architecture=architecture) == verdict


def test_without_threads_a_new_thread_is_a_matter_of_resources() -> None:
    program = compile_filter(PID, are_threads_allowed=False, machine="x86_64")
    assert decide(program, CHECKED["clone"][0], 0x3D0F00) == refused(errno.EAGAIN)
    assert decide(program, CHECKED["clone"][0], signal.SIGCHLD) == refused(errno.EPERM)
    without_files = 0x3D0F00 & ~0x400
    assert decide(program, CHECKED["clone"][0], without_files) == refused(errno.EPERM)


DANGEROUS = """
socket socketpair connect bind execve execveat fork vfork ptrace process_vm_readv process_vm_writev mount umount2
unshare setns pivot_root chroot open_by_handle_at name_to_handle_at memfd_create memfd_secret bpf perf_event_open
io_uring_setup io_uring_enter userfaultfd keyctl add_key request_key setuid setresuid setgid capset init_module
finit_module kexec_load reboot pidfd_open pidfd_getfd pidfd_send_signal tkill rt_sigqueueinfo rt_tgsigqueueinfo shmget
msgget semget mq_open mknodat linkat symlinkat truncate chmod fchmod fchown chown personality seccomp
landlock_create_ruleset quotactl swapon sethostname clock_settime settimeofday iopl ioperm move_pages mbind
"""


@pytest.mark.parametrize("name", DANGEROUS.split())
def test_dangerous_calls_are_not_on_the_list(name: str) -> None:
    assert name not in ALLOWED
    assert name not in CHECKED


def test_the_numbers_are_those_of_libseccomp() -> None:
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        pytest.skip(f"libseccomp is not installed: {error}")
    architectures = (pyseccomp.Arch.X86_64, pyseccomp.Arch.AARCH64)
    for name, numbers in {**ALLOWED, **CHECKED}.items():
        for architecture, number in zip(architectures, numbers, strict=True):
            official = pyseccomp.resolve_syscall(architecture, name)
            # An older library does not know a newer call; where the architecture lacks it, the number is negative.
            assert number == (official if official >= 0 else None) or (official == -1 and number == 449), name
