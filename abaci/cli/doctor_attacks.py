"""`abaci doctor --attacks FILE`: hostile programs against the configured sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.text import Text

from abaci.cli.command import print_json
from abaci.cli.interrupt import run_interruptibly
from abaci.cli.rows import NO_ROWS, name_malformed
from abaci.cli.talk import choose_talk
from abaci.cli.terminal import count, one_line, results_console
from abaci.errors import InvalidInput
from abaci.evaluation.attacks import AttackReport, run_attacks
from abaci.evaluation.rows import RowFile
from abaci.sandbox.auto import open_sandbox
from abaci.settings import Settings

DETAIL_CHARS: Final = 120


def check_attacks(file: Path, settings: Settings, *, is_json: bool) -> bool:
    """Run the attacks of `file`, print the report, and say whether all of them were held.

    Raises:
        InvalidInput: the file cannot be opened, or holds no row that can be used.
        SandboxError: the configured sandbox does not start.
    """
    # Read once before anything starts: an unusable file is told at once, and the number of rows is known.
    reader = RowFile(file)
    rows = sum(1 for _ in reader)
    if rows == 0:
        name_malformed(reader.malformed)
        raise InvalidInput(NO_ROWS, field="file")
    report = run_interruptibly(_run(file, settings, rows))
    name_malformed(report.malformed_rows)
    if report.programs == 0:
        raise InvalidInput(NO_ROWS, field="file")
    if is_json:
        print_json(report)
    else:
        console = results_console()
        for line in attack_lines(report):
            console.print(line, soft_wrap=True)
    return not report.failed


async def _run(file: Path, settings: Settings, rows: int) -> AttackReport:
    async with choose_talk().working("attacks ended") as on_progress:
        on_progress("warming the sandbox", None)
        # No spares: every session is forked after the attack that it bears witness to.
        async with open_sandbox(settings.sandbox.model_copy(update={"spares": 0})) as sandbox:

            def on_count(done: int) -> None:
                on_progress(f"running {count(rows, 'attack')}", done / rows)

            on_count(0)
            return await run_attacks(file, sandbox, on_count)


def attack_lines(report: AttackReport) -> Iterator[Text]:
    """The report for a person: what stopped each attack, what did not, and the sum."""
    names = [*(held.name for held in report.holds), *(failure.name for failure in report.failed)]
    width = max(map(len, names), default=0)
    for held in report.holds:
        yield Text.assemble(("✓ ", "green"), one_line(held.name).ljust(width), (f"  {_short(held.by)}", "dim"))
    for failure in report.failed:
        yield Text.assemble(("✗ ", "bold red"), one_line(failure.name).ljust(width), f"  {_short(failure.why)}")
    style = "bold red" if report.failed else "bold green"
    yield Text(f"{report.held} of {count(report.programs, 'attack')} held by the {report.tier} sandbox", style=style)


def _short(text: str) -> str:
    return one_line(text, DETAIL_CHARS)
