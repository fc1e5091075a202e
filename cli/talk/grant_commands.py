"""`assent grants`: what passes without asking."""

from typing import Annotated

import typer

from cli.talk.choices import Json, an_id, with_server

Grant = Annotated[str, typer.Argument(metavar="ID", callback=an_id, help="A grant's id.")]
Everybody = Annotated[bool, typer.Option("--all", help="Everybody's in the workspace; for owners and admins.")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    app.command()(revoke)
    return app


def list_(*, everybody: Everybody = False, as_json: Json = False) -> None:
    """List what lets your calls pass unasked, and what you gave to others."""
    from cli.talk.grants import list_grants

    with_server(lambda server, screen: list_grants(server, screen, everybody=everybody), as_json)


def revoke(grant: Grant, *, as_json: Json = False) -> None:
    """End a grant at once: the next call is asked again."""
    from cli.talk.grants import revoke_grant

    with_server(lambda server, screen: revoke_grant(server, screen, grant), as_json)
