"""`assent services`: programs with a place of their own, which talk and ask by keys, and never decide."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.talk.choices import Json, an_id, with_server
from core.permissions import Scope


class ServiceRole(StrEnum):
    """What a service may be."""

    MEMBER = "member"
    VIEWER = "viewer"


Name = Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")]
Service = Annotated[str, typer.Argument(metavar="ID", callback=an_id, help="A service's id.")]
RoleOption = Annotated[ServiceRole, typer.Option("--role", help="Whether it may talk (member) or only read.")]
Scopes = Annotated[
    list[Scope] | None,
    typer.Option("--scope", help="What its key may be for: read, chat, ask; several times.", show_default="read, ask"),
]
KeyName = Annotated[str, typer.Option("--name", help="What the key is for.")]
Days = Annotated[int | None, typer.Option("--days", min=1, max=365, help="How long it holds.", show_default="90")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    for command in (create, key, keys, disable):
        app.command()(command)
    return app


def list_(*, as_json: Json = False) -> None:
    """List the services."""
    from cli.talk.services import list_services

    with_server(list_services, as_json)


def create(name: Name, role: RoleOption = ServiceRole.MEMBER, scope: Scopes = None, *, as_json: Json = False) -> None:
    """Make a service with a first key, which is shown once."""
    from cli.talk.services import create_service

    with_server(lambda server, screen: create_service(server, screen, name, role.value, scope or []), as_json)


def key(
    service: Service, name: KeyName = "key", days: Days = None, scope: Scopes = None, *, as_json: Json = False
) -> None:
    """Make another key of a service; it is shown once."""
    from cli.talk.services import new_key

    with_server(lambda server, screen: new_key(server, screen, service, name, days, scope or []), as_json)


def keys(service: Service, *, as_json: Json = False) -> None:
    """List a service's keys; `assent tokens revoke` ends one."""
    from cli.talk.services import list_keys

    with_server(lambda server, screen: list_keys(server, screen, service), as_json)


def disable(service: Service, *, as_json: Json = False) -> None:
    """Shut a service out: its keys and sockets end at once."""
    from cli.talk.services import disable_service

    with_server(lambda server, screen: disable_service(server, screen, service), as_json)
