"""What every command has in common: `--json`, `--debug`, and errors that become one line and an exit code."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click
from pydantic import BaseModel

from abaci.cli.exits import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE
from abaci.cli.streams import drop_results, say
from abaci.errors import AbaciError, InvalidInput, ModelLoadError, RunNotFound, SettingsError

BAD_INPUT: Final = (InvalidInput, SettingsError, ModelLoadError, RunNotFound)
"""Errors that the caller mends by asking differently."""

F = TypeVar("F", bound=Callable[..., Any])


class Command(click.Command):
    """A command whose `AbaciError`s end it with one line on standard error; with `--debug`, with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see the class."""
        try:
            return super().invoke(ctx)
        except AbaciError as error:
            if ctx.meta.get("abaci.debug"):
                raise
            from abaci.cli.terminal import one_line

            # It may repeat what a server or a model said.
            say(f"abaci: {one_line(str(error))}")
            ctx.exit(EXIT_USAGE if isinstance(error, BAD_INPUT) else EXIT_FAILED)
        except KeyboardInterrupt:
            say("abaci: interrupted")
            ctx.exit(EXIT_INTERRUPTED)
        except OSError as error:
            if error.errno != errno.ENOSPC or ctx.meta.get("abaci.debug"):
                raise
            drop_results()
            say(f"abaci: nothing more can be written: {error}")
            ctx.exit(EXIT_FAILED)


def _remember_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta["abaci.debug"] = value


json_option = click.option("--json", "is_json", is_flag=True, help="Print one JSON object on standard output.")

debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_remember_debug,
    help="Show a traceback where a command fails.",
)


def model_options(function: F) -> F:
    """Adds `--model` and `--server`, which every command that makes tokens has."""
    server = click.option(
        "--server",
        metavar="URL",
        help="Use an OpenAI-compatible server, for instance http://127.0.0.1:8000/v1.",
    )
    model = click.option(
        "--model",
        metavar="M",
        help="A model directory or name for vLLM; with --server, a model of that server.",
    )
    return model(server(function))


def print_json(value: BaseModel | dict[str, Any]) -> None:
    """Print `value` as one JSON object on standard output.

    Pure ASCII: text of a model can then neither steer a terminal nor fail to be encoded.
    """
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    try:
        click.echo(json.dumps(plain, indent=2))
    except BrokenPipeError:
        drop_results()
