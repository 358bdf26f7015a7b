"""`abaci serve`."""

from __future__ import annotations

import click

from abaci.backend.config import VllmConfig
from abaci.cli.command import Command, debug_option, model_options
from abaci.cli.interrupt import run_interruptibly
from abaci.cli.loading import load_in_background, load_solver
from abaci.cli.talk import choose_talk
from abaci.errors import SettingsError
from abaci.settings import Settings


@click.command(cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port; 0: any free one.")
@model_options
@debug_option
def serve(host: str, port: int, model: str | None, server: str | None) -> None:
    """Serve the REST API.

    Ctrl-C lets running requests end, for a few seconds; a second one ends the process at once. There is no
    authentication: on an address that other machines can reach, put a server in front that has it.
    """
    run_interruptibly(_serve(for_serving(Settings.load(model=model, server=server)), host, port))


def for_serving(settings: Settings) -> Settings:
    """`settings` with the engine in processes of its own, unless they say otherwise: requests then never hold it up.

    Raises:
        SettingsError: they name no model, or contradict themselves.
    """
    backend = settings.choose_backend()
    if isinstance(backend, VllmConfig) and "engine" not in backend.model_fields_set:
        backend = backend.model_copy(update={"engine": "async"})
    return settings.model_copy(update={"backend": backend, "model": None, "server": None})


async def _serve(settings: Settings, host: str, port: int) -> None:
    talk = choose_talk(is_live_wanted=False)
    async with talk.working() as on_progress:
        on_progress("loading abaci", None)
        make_solver = await load_solver()
        try:
            await load_in_background("abaci.api.server")
        except ModuleNotFoundError as error:
            raise SettingsError(f'the server needs the package {error.name}: pip install "abaci[serve]"') from error
        from abaci.api.app import create_app
        from abaci.api.server import Address, serve

        async with make_solver(settings, on_progress=on_progress) as solver:
            app = create_app(solver, solver.services.traces, defaults=settings.solve)
            address = Address(host=host, port=port)
            await serve(app, address, on_ready=lambda url: on_progress(f"listening on {url}", None))
