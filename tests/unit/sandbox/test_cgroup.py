"""Control groups: found and limited on trees made for the test, and for real where this machine lets us make one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from abaci.sandbox.cgroup import ControlGroup, GroupLimits, Hierarchy, find_hierarchy
from abaci.sandbox.waiting import readable_within

LIMITS = GroupLimits(memory_bytes=256 << 20, processes=50)
MOUNT = "{id} 24 0:{id} {root} {point} rw,relatime - {kind} {kind} rw{options}\n"


def proc(folder: Path, mountinfo: str, cgroup: str) -> Path:
    """A folder in the place of `/proc/self`."""
    (folder / "mountinfo").write_text(mountinfo)
    (folder / "cgroup").write_text(cgroup)
    return folder


def close(group: ControlGroup) -> None:
    asyncio.run(group.close())


def mount(point: Path, kind: str, controllers: str = "", root: str = "/") -> str:
    options = f",{controllers}" if controllers else ""
    return MOUNT.format(id=30, root=root, point=point, kind=kind, options=options)


def unified(tmp_path: Path, own_limit: str = "max") -> Path:
    """A tree of version 2 with our group in `/app/own`; its parent hands the controllers on, it does not itself."""
    own = tmp_path / "tree" / "app" / "own"
    own.mkdir(parents=True)
    for folder, controllers in ((own.parent, "cpu memory pids"), (own, "")):
        (folder / "cgroup.subtree_control").write_text(controllers + "\n")
        (folder / "cgroup.procs").write_text("")
    (own / "memory.max").write_text(own_limit + "\n")
    proc(tmp_path, mount(tmp_path / "tree", "cgroup2"), "0::/app/own\n")
    return own


# --- where a group can be made ----------------------------------------------------------------------------------------


def test_version_1_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    mounts = mount(tmp_path / "memory", "cgroup", "memory") + mount(tmp_path / "cpu", "cgroup", "cpu,cpuacct")
    here = proc(tmp_path, mounts, "4:memory:/a/b\n2:cpu,cpuacct:/c\n1:pids:/\n0::/\n")
    folders = {"memory": tmp_path / "memory" / "a" / "b", "cpu": tmp_path / "cpu" / "c"}
    assert find_hierarchy(here) == Hierarchy(1, folders)


def test_a_tree_that_is_mounted_from_below_its_root_is_followed_from_there(tmp_path: Path) -> None:
    here = proc(tmp_path, mount(tmp_path / "m", "cgroup", "memory", root="/docker/x"), "4:memory:/docker/x/in\n")
    assert find_hierarchy(here) == Hierarchy(1, {"memory": tmp_path / "m" / "in"})


def test_version_2_makes_a_neighbour_of_our_own_group(tmp_path: Path) -> None:
    own = unified(tmp_path)
    assert find_hierarchy(tmp_path) == Hierarchy(2, dict.fromkeys(("memory", "pids", "cpu"), own.parent))


def test_version_2_never_leaves_a_group_with_a_memory_limit(tmp_path: Path) -> None:
    unified(tmp_path, own_limit="1000000")
    assert find_hierarchy(tmp_path) is None


@pytest.mark.parametrize(("name", "limit"), [("memory.high", "1000000"), ("cpu.max", "50000 100000")])
def test_version_2_never_leaves_a_group_with_another_limit(tmp_path: Path, name: str, limit: str) -> None:
    own = unified(tmp_path)
    (own / name).write_text("max 100000\n" if name == "cpu.max" else "max\n")
    assert find_hierarchy(tmp_path) is not None
    (own / name).write_text(f"{limit}\n")
    assert find_hierarchy(tmp_path) is None


def test_version_2_prefers_our_own_group_where_it_hands_the_controllers_on(tmp_path: Path) -> None:
    own = unified(tmp_path, own_limit="1000000")
    (own / "cgroup.subtree_control").write_text("memory")
    assert find_hierarchy(tmp_path) == Hierarchy(2, {"memory": own})


@pytest.mark.parametrize("cgroup", ["", "0::/\n", "1:pids:/\n"])
def test_without_a_memory_controller_there_is_nowhere(tmp_path: Path, cgroup: str) -> None:
    assert find_hierarchy(proc(tmp_path, mount(tmp_path, "cgroup", "pids"), cgroup)) is None


def test_without_proc_there_is_nowhere(tmp_path: Path) -> None:
    assert find_hierarchy(tmp_path / "absent") is None


# --- its limits -------------------------------------------------------------------------------------------------------


def test_version_2_is_told_every_limit(tmp_path: Path) -> None:
    hierarchy = Hierarchy(2, dict.fromkeys(("memory", "pids", "cpu"), tmp_path))
    group = ControlGroup.create(GroupLimits(1 << 30, 99, cpus=1.5), hierarchy)
    assert group is not None
    (folder,) = group.paths
    told = {path.name: path.read_text() for path in folder.iterdir()}
    assert told == {
        "memory.max": str(1 << 30), "pids.max": "99", "cpu.weight": "150", "cpu.max": "150000 100000",
    }  # fmt: skip
    (folder / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert group.oom_kills() == 2
    for path in folder.iterdir():
        path.unlink()  # In a real group these files are the kernel's, and go with it.
    close(group)
    assert not folder.exists()


def test_without_a_number_of_processors_they_are_left_alone(tmp_path: Path) -> None:
    for version in (1, 2):
        folders = {name: tmp_path / (name if version == 1 else "all") for name in ("memory", "cpu")}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        group = ControlGroup.create(LIMITS, Hierarchy(version, folders))
        assert group is not None
        (path,) = group.paths
        assert not any(file.name.startswith("cpu.") for file in path.iterdir())
        for file in path.iterdir():
            file.unlink()
        close(group)


def test_where_memory_cannot_be_limited_there_is_no_group_and_nothing_is_left(tmp_path: Path) -> None:
    memory, pids = tmp_path / "memory", tmp_path / "pids"
    pids.mkdir()
    memory.write_text("a file, in which no folder can be made")
    assert ControlGroup.create(LIMITS, Hierarchy(1, {"memory": memory, "pids": pids})) is None
    assert [path for path in pids.iterdir() if path.is_dir() and not list(path.iterdir())] == []


def test_groups_of_dead_hosts_are_removed(tmp_path: Path) -> None:
    finished = subprocess.Popen(["true"])
    finished.wait()
    (tmp_path / f"abaci-{finished.pid}-0").mkdir()
    (tmp_path / f"abaci-{os.getpid()}-live").mkdir()
    group = ControlGroup.create(LIMITS, Hierarchy(2, {"memory": tmp_path}))
    assert group is not None
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"abaci-{os.getpid()}-live", group.paths[0].name}
    for path in group.paths[0].iterdir():
        path.unlink()
    close(group)


def test_what_cannot_be_removed_at_first_is_removed_later(tmp_path: Path) -> None:
    for name in ("memory", "pids"):
        (tmp_path / name).mkdir()
    group = ControlGroup.create(LIMITS, Hierarchy(1, {name: tmp_path / name for name in ("memory", "pids")}))
    assert group is not None
    memory, pids = group.paths
    for file in pids.iterdir():
        file.unlink()
    group._write_fd, end = os.open("/dev/null", os.O_WRONLY), group._write_fd
    os.close(end)  # As a killed host would.
    pidfd = os.pidfd_open(group._janitor.pid)
    assert not asyncio.run(readable_within(pidfd, 0.3))
    assert not pids.exists()
    for file in memory.iterdir():
        file.unlink()
    # At once, though the other one has been gone for a while.
    assert asyncio.run(readable_within(pidfd, 1.5))
    os.close(pidfd)
    assert not memory.exists()
    close(group)


# --- for real ---------------------------------------------------------------------------------------------------------


def real_group(limits: GroupLimits = LIMITS) -> ControlGroup:
    group = ControlGroup.create(limits)
    if group is None:
        pytest.skip("this machine lets us make no control group")
    return group


def test_a_command_runs_in_the_group_from_its_start() -> None:
    group = real_group()
    command = group.join(["cat", "/proc/self/cgroup"])
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert group.paths[0].name in printed
    close(group)
    assert not any(path.exists() for path in group.paths)


def test_what_exceeds_the_memory_is_killed_and_counted() -> None:
    group = real_group(GroupLimits(memory_bytes=64 << 20, processes=20))
    finished = subprocess.run(group.join([sys.executable, "-c", "x = bytearray(300 << 20)"]), check=False)
    assert finished.returncode == -signal.SIGKILL
    assert group.oom_kills() == 1
    close(group)


def test_more_processes_than_allowed_are_refused() -> None:
    group = real_group(GroupLimits(memory_bytes=256 << 20, processes=3))
    if not any((path / "pids.max").exists() for path in group.paths):
        pytest.skip("this machine has no pids controller for us")
    code = "import os\nfor _ in range(9):\n    if os.fork() == 0: os.read(0, 1); os._exit(0)"
    finished = subprocess.run(
        group.join([sys.executable, "-c", code]), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert "BlockingIOError" in finished.stderr
    close(group)


HOST = """
import os, signal
from abaci.sandbox.cgroup import ControlGroup, GroupLimits
group = ControlGroup.create(GroupLimits(256 << 20, 50))
print(*group.paths, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_host_leaves_no_group() -> None:
    close(real_group())
    killed = subprocess.run([sys.executable, "-c", HOST], capture_output=True, text=True, check=False)
    paths = [Path(word) for word in killed.stdout.split()]
    assert paths
    janitors = [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and is_janitor(entry, paths[0])]
    for pid in janitors:
        pidfd = os.pidfd_open(pid)
        assert asyncio.run(readable_within(pidfd, 5))
        os.close(pidfd)
    assert not any(path.exists() for path in paths)


def is_janitor(pid: str, path: Path) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return str(path) in command and state != "Z"
