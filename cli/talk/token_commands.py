"""`assent tokens`: keys with which programs act for a person."""

from typing import Annotated

import typer

from cli.talk.choices import Json, an_id, with_server
from core.permissions import Scope

Name = Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")]
Token = Annotated[str, typer.Argument(metavar="ID", callback=an_id, help="A token's id.")]
Days = Annotated[int, typer.Option("--days", min=0, max=365, help="How long it holds; 0: for ever (owners only).")]
Scopes = Annotated[
    list[Scope] | None,
    typer.Option("--scope", help="What it may be used for; several times for several.", show_default="read, chat"),
]
Everybody = Annotated[bool, typer.Option("--all", help="Everybody's in the workspace; for owners and admins.")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    for command in (create, revoke):
        app.command()(command)
    return app


def list_(*, everybody: Everybody = False, as_json: Json = False) -> None:
    """List your tokens."""
    from cli.talk.tokens import list_tokens

    with_server(lambda server, screen: list_tokens(server, screen, everybody=everybody), as_json)


def create(name: Name, days: Days = 90, scope: Scopes = None, *, as_json: Json = False) -> None:
    """Make a token; it is shown once. With the scope `decide` a program may approve: think before you ask for it."""
    from cli.talk.tokens import create_token

    with_server(lambda server, screen: create_token(server, screen, name, days or None, scope or []), as_json)


def revoke(token: Token, *, as_json: Json = False) -> None:
    """End a token at once."""
    from cli.talk.tokens import revoke_token

    with_server(lambda server, screen: revoke_token(server, screen, token), as_json)
