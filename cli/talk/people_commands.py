"""`assent users`: the people of the workspace."""

from typing import Annotated

import typer

from cli.talk.choices import Data, Json, PasswordStdin, Role, with_server

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="Their e-mail address.")]
User = Annotated[str, typer.Argument(metavar="USER", help="Their id or e-mail address.")]
RoleOption = Annotated[Role, typer.Option("--role", help="What they may do.")]
RoleArgument = Annotated[Role, typer.Argument(help="What they may do from now on.")]
Manager = Annotated[str | None, typer.Argument(metavar="MANAGER", help="The manager's id or e-mail address.")]
Other = Annotated[str | None, typer.Argument(metavar="OTHER", help="The other user's id or e-mail address.")]
Name = Annotated[str | None, typer.Option("--name", help="How others see them.", show_default="from the e-mail")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    for command in (invite, role, manager, disable, add):
        app.command()(command)
    app.command("same-person")(same_person)
    app.command("reset-factors")(reset_factors)
    return app


def list_(*, as_json: Json = False) -> None:
    """List everybody in the workspace."""
    from cli.talk.people import list_users

    with_server(list_users, as_json)


def invite(email: Email, role: RoleOption = Role.MEMBER, *, as_json: Json = False) -> None:
    """Invite somebody; the link is shown once."""
    from cli.talk.people import invite as work

    with_server(lambda server, screen: work(server, screen, email, role.value), as_json)


def role(user: User, role: RoleArgument, *, as_json: Json = False) -> None:
    """Give somebody another role."""
    from cli.talk.people import set_role

    with_server(lambda server, screen: set_role(server, screen, user, role.value), as_json)


def manager(user: User, manager: Manager = None, *, as_json: Json = False) -> None:
    """Say whom somebody reports to, for rules that ask a manager; without MANAGER, nobody."""
    from cli.talk.people import set_manager

    with_server(lambda server, screen: set_manager(server, screen, user, manager), as_json)


def same_person(user: User, other: Other = None, *, as_json: Json = False) -> None:
    """State that two users are one person, whom a quorum counts once; without OTHER, take that back."""
    from cli.talk.people import state_same

    with_server(lambda server, screen: state_same(server, screen, user, other), as_json)


def disable(user: User, *, as_json: Json = False) -> None:
    """Sign somebody out everywhere and refuse them from now on."""
    from cli.talk.people import disable as work

    with_server(lambda server, screen: work(server, screen, user), as_json)


def add(
    email: Email,
    role: RoleOption = Role.MEMBER,
    name: Name = None,
    data: Data = None,
    *,
    password_stdin: PasswordStdin = False,
    as_json: Json = False,
) -> None:
    """Create a person in the data directory itself, also while the server runs; the first one owns the workspace."""
    from cli.serve.people import add_person
    from cli.talk.ending import run
    from cli.talk.screen import Screen
    from cli.talk.signing import read_password

    screen = Screen(as_json=as_json)

    async def work() -> None:
        await add_person(screen, data, email, role, name, read_password(stdin=password_stdin))

    run(work(), screen)


def reset_factors(email: Email, data: Data = None, *, as_json: Json = False) -> None:
    """Forget somebody's authenticator app and passkeys in the data directory itself, when they have lost them all."""
    from cli.serve.people import reset_factors as work
    from cli.talk.ending import run
    from cli.talk.screen import Screen

    screen = Screen(as_json=as_json)
    run(work(screen, data, email), screen)
