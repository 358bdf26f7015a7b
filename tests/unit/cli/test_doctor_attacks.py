from __future__ import annotations

from abaci.cli.doctor_attacks import attack_lines
from abaci.evaluation.attacks import AttackReport, FailedAttack, HeldAttack


def test_a_report_shows_what_stopped_each_attack_and_what_did_not() -> None:
    report = AttackReport(
        programs=2,
        held=1,
        failed=(FailedAttack(name="read_all", why="it succeeded: PWNED \x1b[2Jroot"),),
        tier="landlock",
        holds=(HeldAttack(name="fork", by="error: PermissionError: [Errno 1]"),),
    )
    lines = [line.plain for line in attack_lines(report)]
    assert lines == [
        "✓ fork      error: PermissionError: [Errno 1]",
        "✗ read_all  it succeeded: PWNED root",
        "1 of 2 attacks held by the landlock sandbox",
    ]
