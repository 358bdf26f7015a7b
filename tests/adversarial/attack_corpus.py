"""Reads the hostile programs of `programs/`, and those of the external corpus."""

from __future__ import annotations

import json
import os
import platform
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attack_tiers import TIERS

from abaci.sandbox.worker import seccomp

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
EXTERNAL = Path(os.environ.get("ABACI_DATA", PROJECT.parent / "shared" / "data")) / "sandbox_attacks.jsonl"

PRELUDE = (HERE / "prelude.py").read_text()
LAST_SYSTEM_CALL = 511
UNFILTERED_CALLS = {335, 336} if platform.machine() == "x86_64" else set()
"""uretprobe and uprobe: no filter ever sees them. They are in calls.toml."""

TIMED_OUT = "^timeout"
FOREIGN_REASONS = {
    # What must be seen of an attack that prints nothing telling by itself; the others are held by their markers.
    "regex_redos": TIMED_OUT, "mem_bomb_memfd": r"\[Errno 1\]", "thread_bomb": "bounded", "sympy_hang": TIMED_OUT,
    "recursion_c_stack": "^(timeout|memory|killed)", "mem_bomb_bytearray_3g": "^memory", "mem_bomb_numpy": "^memory",
    "big_int_str": TIMED_OUT, "mem_bomb_int_pow": "^(timeout|memory)", "sleep_forever": TIMED_OUT,
    "sigstop_self": TIMED_OUT, "fork_once_second_reply": r"\[Errno 1\]", "settrace": "^(ok|error)",
    "os_exit": "^killed\nthe program ended its process", "huge_stderr": "^output_limit", "huge_exception": "ValueError",
    "close_stdout": "^ok", "read_proc1_environ": r"\[Errno (2|13)\]", "poison_pyc": r"\[Errno (13|30)\]",
    "sparse_file": r"\[Errno (27|13)\]", "env_secrets": "clean\nclean", "fill_disk": r"(28|13)\nbounded",
    "read_home": r"(/\w+ (2|13)\n){4}", "read_proc_self_mem": r"\[Errno (2|13)\]",
    "read_shadow": r"\[Errno (2|13)\]", "kill_ppid": r"\[Errno 1\]", "unix_abstract": r"\[Errno 1\]",
    "exec_shell": r"\[Errno 1\]", "mount": "denied", "unshare_userns": "denied", "setuid0": "denied",
    "caps_empty": "none", "gc_get_objects_hunt": "clean", "other_session_files": "clean",
}  # fmt: skip
FOREIGN_REASONS_ON = {
    # All of a container is mounted read-only.
    "docker": {"sparse_file": r"\[Errno 30\]", "fill_disk": "30\nbounded 0"},
}
"""Instead of the reasons above, on a tier and on those like it."""
FOREIGN_TIMEOUT_S = 1.0
"""Instead of the corpus's own 2 to 8 s, for programs that never end by themselves."""


@dataclass(frozen=True)
class Hostile:
    """A hostile program for one tier, and the reason that must stop it there."""

    name: str
    code: str
    reason: str | None
    timeout_s: float
    memory_bytes: int = 1 << 30
    oracle: str = "survives"


def our_programs(tier: str) -> Iterator[Hostile]:
    """Those of ours that apply to `tier`."""
    for path in sorted((HERE / "programs").glob("*.toml")):
        tables = tomllib.loads(path.read_text())
        for row in tables.get("program", []):
            if _is_for(row, tier):
                yield _to_hostile(path.stem, row, tier)
        for row in tables.get("call", []):
            if _is_call_for(row, tier):
                yield _to_call(row)


def _is_for(row: dict[str, Any], tier: str) -> bool:
    has = TIERS[tier].has
    is_machine_right = platform.machine() in row.get("machines", [platform.machine()])
    return has.issuperset(row.get("needs", [])) and has.isdisjoint(row.get("lacks", [])) and is_machine_right


def _is_call_for(row: dict[str, Any], tier: str) -> bool:
    """Whether a single system call is one of this machine, on a tier whose programs reach this machine's kernel.

    Elsewhere the calls are somebody else's to answer, slowly, and one program tries every number that is not allowed.
    """
    return "linux" in TIERS[tier].has and platform.machine() in ("x86_64", *row)


def _to_hostile(group: str, row: dict[str, Any], tier: str) -> Hostile:
    code = row["code"].replace("{project}", str(PROJECT)).replace("{refused_calls}", str(_refused_calls()))
    return Hostile(
        name=f"{group}-{row['name']}",
        code=f"{PRELUDE}\n{code}",
        reason=row.get(f"on_{tier}") or row.get(f"on_{TIERS[tier].like}") or row["reason"],
        timeout_s=row.get("timeout_s", 10.0),
        memory_bytes=row.get("memory_mb", 1024) << 20,
    )


def _to_call(row: dict[str, Any]) -> Hostile:
    """A single system call, which fails with EPERM unless the row says otherwise."""
    code = f"{PRELUDE}\nprint('PWNED', call(({row['x86_64']}, {row.get('aarch64')}), {row.get('arguments', '')}))"
    return Hostile(f"call-{row['name']}", code, row.get("reason", r"PermissionError: \[Errno 1\]"), timeout_s=10.0)


def _refused_calls() -> list[int]:
    """The number of every system call that no session may make, whatever its arguments."""
    column, _ = seccomp.ARCHITECTURES[platform.machine()]
    listed = {numbers[column] for table in (seccomp.ALLOWED, seccomp.CHECKED) for numbers in table.values()}
    return sorted(set(range(LAST_SYSTEM_CALL + 1)) - listed - UNFILTERED_CALLS)


def external_programs(tier: str) -> Iterator[Hostile]:
    """Those of the external corpus, with the reasons for `tier`; none where it is absent."""
    if not EXTERNAL.exists():
        return
    reasons = {**FOREIGN_REASONS, **FOREIGN_REASONS_ON.get(tier, {})}
    for line in EXTERNAL.read_text().splitlines():
        row = json.loads(line)
        reason = reasons.get(row["name"])
        timeout_s = row["timeout"]
        if reason is not None and "timeout" in reason:
            timeout_s = min(timeout_s, FOREIGN_TIMEOUT_S)
        yield Hostile(row["name"], row["code"], reason, timeout_s, oracle=row["oracle"])
