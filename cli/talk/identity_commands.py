"""`assent link` and `assent identities`: a person's accounts on channels."""

from typing import Annotated

import typer

from cli.talk.choices import Json, Yes, an_id, with_server

CONFIRM = "confirm"
What = Annotated[
    str,
    typer.Argument(metavar="CHANNEL", help="Where your account is (telegram, ...); or `confirm` with a chat's CODE."),
]
Code = Annotated[str | None, typer.Argument(metavar="CODE", help="What the chat said, with `confirm`.")]
Identity = Annotated[str, typer.Argument(metavar="ID", callback=an_id, help="A linked account's id.")]
OfUser = Annotated[str | None, typer.Option("--user", help="Somebody else's, by id or e-mail; for owners and admins.")]


def link(what: What, code: Code = None, *, yes: Yes = False, as_json: Json = False) -> None:
    """Link an account on a channel: get a code to say there, or confirm a code that the chat gave you.

    `assent link telegram` makes a code; say it to the bot within 10 minutes, and confirm there.

    `assent link confirm K7QM-2XRT` shows the account that asked for this code, and links it once you agree.
    """
    if (what == CONFIRM) is (code is None):
        message = "Either `assent link CHANNEL` or `assent link confirm CODE`."
        raise typer.BadParameter(message)
    from cli.talk.identities import begin_link, confirm_link

    if code is None:
        with_server(lambda server, screen: begin_link(server, screen, what), as_json)
    else:
        with_server(lambda server, screen: confirm_link(server, screen, code, yes=yes), as_json)


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    app.command()(remove)
    return app


def list_(user: OfUser = None, *, as_json: Json = False) -> None:
    """List your linked accounts."""
    from cli.talk.identities import list_identities

    with_server(lambda server, screen: list_identities(server, screen, user), as_json)


def remove(identity: Identity, *, as_json: Json = False) -> None:
    """Unlink an account at once; nothing more is sent there."""
    from cli.talk.identities import remove_identity

    with_server(lambda server, screen: remove_identity(server, screen, identity), as_json)
