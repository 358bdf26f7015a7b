"""`abaci doctor`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from abaci import __version__
from abaci.cli import probes
from abaci.cli.command import Command, debug_option, json_option, model_options, print_json
from abaci.cli.doctor_attacks import check_attacks
from abaci.cli.exits import EXIT_FAILED, EXIT_OK
from abaci.cli.interrupt import run_interruptibly
from abaci.cli.probes import Check, Finding
from abaci.cli.talk import OnProgress, choose_talk
from abaci.cli.terminal import one_line, results_console
from abaci.settings import Settings, config_file

SIGNS = {Finding.OK: ("✓", "green"), Finding.MISSING: ("–", "dim"), Finding.BROKEN: ("✗", "bold red")}
AUTO_SANDBOXES = ("bubblewrap", "landlock")
SANDBOXES = (*AUTO_SANDBOXES, "docker", "gvisor")
EXTRAS = ("redis",)


@click.command(cls=Command)
@model_options
@click.option(
    "--attacks",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Run the hostile programs of FILE in the configured sandbox, and check nothing else.",
)
@json_option
@debug_option
@click.pass_context
def doctor(ctx: click.Context, /, model: str | None, server: str | None, attacks: Path | None, is_json: bool) -> None:
    """Check what works on this machine.

    Everything is tried, not just looked for: the engine is imported, a program runs in each sandbox, the trace store is
    opened. Exit code 0 means that a solve can run; otherwise the lines marked ✗ say what to do.

    With --attacks, exit code 0 means that the sandbox held every hostile program. FILE holds them as JSON lines, plain
    or gzipped; docs/security.md has the format.
    """
    settings = Settings.load(model=model, server=server)
    if attacks is not None:
        ctx.exit(EXIT_OK if check_attacks(attacks, settings, is_json=is_json) else EXIT_FAILED)
    checks = run_interruptibly(_examine(settings))
    can_solve = all(check.finding is not Finding.BROKEN for check in checks)
    if is_json:
        print_json(
            {
                "can_solve": can_solve,
                "version": __version__,
                "checks": [check.model_dump(mode="json") for check in checks],
            }
        )
    else:
        _print(checks, can_solve=can_solve)
    ctx.exit(EXIT_OK if can_solve else EXIT_FAILED)


async def _examine(settings: Settings) -> list[Check]:
    async with choose_talk().working() as on_progress:
        checks = [probes.check_python(), probes.check_model(settings)]
        on_progress("importing vLLM", None)
        checks.append(await probes.check_engine(settings))
        backend = probes.find_server(settings)
        if backend is not None:
            on_progress("asking the server", None)
            checks.append(await probes.check_server(backend))
        checks += await _examine_sandboxes(settings, on_progress)
        on_progress("opening the trace store", None)
        checks.append(await probes.check_traces(settings))
        checks += [probes.check_extra(package) for package in EXTRAS]
    return checks


async def _examine_sandboxes(settings: Settings, on_progress: OnProgress) -> list[Check]:
    """Every tier; where either of two will do and neither works, both are broken."""
    checks = []
    for kind in SANDBOXES:
        on_progress(f"running a program in {kind}", None)
        checks.append(await probes.check_sandbox(kind, settings))
    is_enough = any(check.finding is Finding.OK and check.name in AUTO_SANDBOXES for check in checks)
    if is_enough or settings.sandbox.kind != "auto":
        return checks
    broken = {"finding": Finding.BROKEN}
    return [check.model_copy(update=broken) if check.name in AUTO_SANDBOXES else check for check in checks]


def _print(checks: list[Check], *, can_solve: bool) -> None:
    console = results_console()
    console.print(Text(f"abaci {__version__} · {config_file()}", style="dim"), soft_wrap=True)
    for check in checks:
        sign, style = SIGNS[check.finding]
        name_style = "bold" if check.finding is Finding.BROKEN else "default"
        line = Text.assemble((f"{sign} ", style), (f"{check.name:<11}", name_style), one_line(check.detail))
        console.print(line, soft_wrap=True)
        if check.advice is not None:
            console.print(Text(f"{'':13}{one_line(check.advice)}", style="dim"), soft_wrap=True)
    verdict = "a solve can run" if can_solve else "no solve can run: see the lines marked ✗"
    console.print(Text(verdict, style="bold green" if can_solve else "bold red"))
