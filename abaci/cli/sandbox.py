"""`abaci sandbox`."""

from __future__ import annotations

import click

from abaci.cli.command import Command, debug_option, json_option, print_json
from abaci.errors import SettingsError


@click.group()
def sandbox() -> None:
    """Prepare the sandbox's container image."""


@sandbox.command(cls=Command)
@click.option(
    "--from",
    "origin",
    type=click.Choice(["auto", "registry", "local"]),
    default="auto",
    show_default=True,
    help="registry: the official Python image and pinned wheels; local: this machine's interpreter and libraries; "
    "auto: the registry where one is reachable.",
)
@click.option("--fresh", "is_fresh", is_flag=True, help="Build again, even where the image is there already.")
@json_option
@debug_option
def build(origin: str, is_fresh: bool, is_json: bool) -> None:
    """Build the image of the docker and gvisor sandboxes.

    Prints its name. It belongs to this version of abaci and of its libraries: after an update, build again.
    """
    try:
        from abaci.sandbox.container.engine import Engine
    except ModuleNotFoundError as error:
        raise SettingsError(f'images need the package {error.name}: pip install "abaci[docker]"') from error
    from abaci.sandbox.container.image import Origin, build_image

    with Engine() as engine:
        image = build_image(engine, Origin(origin), lambda step: click.echo(step, err=True), is_fresh=is_fresh)
    if is_json:
        print_json({"image": image})
    else:
        click.echo(image)
