"""`assent models`: what answers, and whether it does."""

from typing import Annotated

import typer

from cli.talk.choices import Json, with_server

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="A model, by its name in the settings.")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    app.command()(check)
    return app


def list_(*, as_json: Json = False) -> None:
    """List the configured models, best liked first: what they can do and cost, and how they were lately."""
    from cli.talk.models import list_models

    with_server(list_models, as_json)


def check(name: Name = None, *, as_json: Json = False) -> None:
    """Ask a model, or all of them, whether it answers and takes its key; exit code 1 when one does not.

    For owners and admins. It sends one cheap request to each: the list of models, or else a single token.
    """
    from cli.talk.models import check_models

    with_server(lambda server, screen: check_models(server, screen, name), as_json)
