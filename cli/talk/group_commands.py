"""`assent groups`: people under a name that rules use."""

from typing import Annotated

import typer

from cli.talk.choices import Json, with_server

Group = Annotated[str, typer.Argument(metavar="GROUP", help="Its name or id.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="What rules call it: small letters, digits, `_` and `-`.")]
Title = Annotated[str, typer.Option("--title", help="What people read.")]
User = Annotated[str, typer.Argument(metavar="USER", help="Their id or e-mail address.")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    for command in (show, create, delete, add, remove):
        app.command()(command)
    return app


def list_(*, as_json: Json = False) -> None:
    """List the groups."""
    from cli.talk.groups import list_groups

    with_server(list_groups, as_json)


def show(group: Group, *, as_json: Json = False) -> None:
    """Show who is in a group."""
    from cli.talk.groups import show_group

    with_server(lambda server, screen: show_group(server, screen, group), as_json)


def create(name: Name, title: Title = "", *, as_json: Json = False) -> None:
    """Make a group; its name never changes."""
    from cli.talk.groups import create_group

    with_server(lambda server, screen: create_group(server, screen, name, title), as_json)


def delete(group: Group, *, as_json: Json = False) -> None:
    """Remove a group; refused while rules or open requests for consent name it."""
    from cli.talk.groups import delete_group

    with_server(lambda server, screen: delete_group(server, screen, group), as_json)


def add(group: Group, user: User, *, as_json: Json = False) -> None:
    """Put somebody into a group."""
    from cli.talk.groups import add_member

    with_server(lambda server, screen: add_member(server, screen, group, user), as_json)


def remove(group: Group, user: User, *, as_json: Json = False) -> None:
    """Take somebody out of a group."""
    from cli.talk.groups import remove_member

    with_server(lambda server, screen: remove_member(server, screen, group, user), as_json)
