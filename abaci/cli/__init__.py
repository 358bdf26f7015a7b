"""The command line: results on standard output, talk on standard error, and exit codes that scripts can rely on.

Exit codes: 0 solved or done, 1 failed or abstained, 2 usage or bad input, 130 Ctrl-C.

A command's module is imported when it runs, so that `abaci --help` stays quick.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from io import TextIOWrapper

import click

from abaci import __version__
from abaci.cli.exits import EXIT_INTERRUPTED
from abaci.cli.streams import drop_talk_that_is_stuck, flush

COMMANDS = {
    "solve": ("abaci.cli.solve", "Solve one problem and watch the chains at work."),
    "serve": ("abaci.cli.serve", "Serve the REST API."),
    "trace": ("abaci.cli.trace", "Show a stored run, or list the stored runs."),
    "doctor": ("abaci.cli.doctor", "Check what works on this machine."),
    "sandbox": ("abaci.cli.sandbox", "Prepare the sandbox's container image."),
    "replay": ("abaci.cli.offline", "Run the programs of published trajectories again."),
    "grade": ("abaci.cli.offline", "Grade pairs of answers that are labelled equal or different."),
    "vote": ("abaci.cli.offline", "Vote over pools of candidate answers."),
}
"""Each command's module and first help line, known without importing the module."""


class LazyGroup(click.Group):
    """A group that imports a command's module when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called `cmd_name`, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in the help, written from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="abaci")
def cli() -> None:
    """Solve mathematics with many tool-using reasoning chains, merged into one justified answer.

    Results go to standard output, everything else to standard error. Exit codes: 0 solved or done, 1 failed or
    abstained, 2 usage or bad input, 130 interrupted.
    """


def main() -> None:
    """Run the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character must not end the command.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        cli(prog_name="abaci")
    except SystemExit as end:
        # After an interrupt, a thread left behind in an engine's native code would abort the end of the interpreter;
        # and with an engine loaded, that end takes seconds, though everything of ours is closed by now.
        if end.code == EXIT_INTERRUPTED or "torch" in sys.modules:
            flush()
            os._exit(end.code if isinstance(end.code, int) else 0 if end.code is None else 1)
        drop_talk_that_is_stuck()
        raise
