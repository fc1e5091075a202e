"""The commands that serve; what they run is imported only when they run."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ParamSpec

import typer

from cli.serve.private import keep_private
from cli.talk.choices import Json
from core import garbage

Given = ParamSpec("Given")
Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Folder of all state.")]
Host = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.", show_default="8080")]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Do not open the browser.")]
Queues = Annotated[str | None, typer.Option(metavar="A,B", help="Only these task queues.", show_default="all")]
Down = Annotated[str | None, typer.Option(metavar="REVISION", help="Go back to this revision; `base` is empty.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (up, api, worker, migrate):
        app.command(rich_help_panel="Serve")(_privately(command))
    keys = typer.Typer()
    keys.callback()(_keys)
    keys.command()(_privately(reseal))
    app.add_typer(keys, name="keys", rich_help_panel="Serve", no_args_is_help=True)


def _privately(command: Callable[Given, None]) -> Callable[Given, None]:
    """Let a command write files that only its own user can read."""

    @functools.wraps(command)
    def run(*given: Given.args, **named: Given.kwargs) -> None:
        keep_private()
        command(*given, **named)

    return run


def up(host: Host = None, port: Port = None, data: Data = None, *, no_browser: NoBrowser = False) -> None:
    """Serve the whole product in this process, with a Temporal server as its child."""
    garbage.rest()
    from cli.serve.up import up as run
    from core.settings import load_settings

    settings = load_settings(host=host, port=port, data_dir=data)
    run(settings, browser=not no_browser and sys.stdout.isatty())


def api(host: Host = None, port: Port = None, data: Data = None) -> None:
    """Serve the doors only: REST, Socket.IO and the page."""
    garbage.rest()
    from cli.serve.apart import api as run
    from core.settings import load_settings

    run(load_settings(host=host, port=port, data_dir=data))


def worker(queues: Queues = None, data: Data = None) -> None:
    """Work on task queues only."""
    garbage.rest()
    from cli.serve.apart import worker as run
    from core.settings import load_settings

    run(load_settings(data_dir=data), {one.strip() for one in queues.split(",")} if queues else None)


def migrate(down: Down = None, data: Data = None) -> None:
    """Bring the database's schema up to date."""
    from cli.serve.apart import migrate as run
    from core.settings import load_settings

    run(load_settings(data_dir=data), down)


def _keys() -> None:
    """Take care of the key ring."""


def reseal(data: Data = None, *, as_json: Json = False) -> None:
    """Seal every stored secret with the newest key, so that an older one can be taken out of the ring."""
    from cli.serve.people import reseal as work
    from cli.talk.ending import run
    from cli.talk.screen import Screen

    screen = Screen(as_json=as_json)
    run(work(screen, data), screen)
