"""`assent connectors`: what the assistant can do, and how the services behind are."""

from typing import Annotated

import typer

from cli.talk import import_commands
from cli.talk.choices import Json, with_server

Name = Annotated[str, typer.Argument(metavar="NAME", help="A connector, as `assent connectors list` names it.")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    app.command()(check)
    import_commands.add_to(app)
    return app


def list_(*, as_json: Json = False) -> None:
    """List the connectors with their actions, and how calls to their services went."""
    from cli.talk.connectors import list_connectors

    with_server(list_connectors, as_json)


def check(name: Name, *, as_json: Json = False) -> None:
    """Ask a connector's service whether it is there; exit code 1 when it is not. For owners and admins."""
    from cli.talk.connectors import check_connector

    with_server(lambda server, screen: check_connector(server, screen, name), as_json)
