"""`assent conversations`: list, show and change conversations."""

from typing import Annotated

import typer

from cli.talk.choices import Json, Limit, an_id, with_server
from core.values import WhenBusy

Conversation = Annotated[str, typer.Argument(metavar="ID", callback=an_id, help="A conversation's id.")]
Title = Annotated[str, typer.Argument(help="Its name.")]

Mode = Annotated[str | None, typer.Option("--mode", help="How to answer: see `assent modes list`.")]
Busy = Annotated[
    WhenBusy | None,
    typer.Option("--when-busy", help="What a message does while an answer is written: wait, stop it, or be refused."),
]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    app.command("set")(set_)
    for command in (show, new, rename, delete, restore):
        app.command()(command)
    return app


def list_(limit: Limit = 20, *, as_json: Json = False) -> None:
    """List the newest conversations."""
    from cli.talk.conversations import list_conversations

    with_server(lambda server, screen: list_conversations(server, screen, limit), as_json)


def show(conversation: Conversation, limit: Limit = 50, *, as_json: Json = False) -> None:
    """Show the newest messages of a conversation."""
    from cli.talk.conversations import show_conversation

    with_server(lambda server, screen: show_conversation(server, screen, conversation, limit), as_json)


def new(
    title: Annotated[str | None, typer.Argument(help="Its name.")] = None,
    mode: Mode = None,
    *,
    as_json: Json = False,
) -> None:
    """Begin a conversation."""
    given = {name: value for name, value in {"title": title, "mode": mode}.items() if value}
    _change("POST", "/conversations", given, "Began", as_json)


def set_(conversation: Conversation, mode: Mode = None, when_busy: Busy = None, *, as_json: Json = False) -> None:
    """Say how a conversation is answered, and what a message does while an answer is written."""
    body = {name: value for name, value in {"mode": mode, "when_busy": when_busy}.items() if value is not None}
    if not body:
        message = "Nothing to change: give --mode or --when-busy."
        raise typer.BadParameter(message)
    _change("PATCH", f"/conversations/{conversation}", body, "Changed", as_json)


def rename(conversation: Conversation, title: Title, *, as_json: Json = False) -> None:
    """Give a conversation another name."""
    _change("PATCH", f"/conversations/{conversation}", {"title": title}, "Renamed", as_json)


def delete(conversation: Conversation, *, as_json: Json = False) -> None:
    """Hide a conversation; it can be restored."""
    _change("DELETE", f"/conversations/{conversation}", None, "Deleted:", as_json)


def restore(conversation: Conversation, *, as_json: Json = False) -> None:
    """Bring a deleted conversation back."""
    _change("POST", f"/conversations/{conversation}/restore", None, "Restored", as_json)


def _change(method: str, path: str, body: dict[str, str] | None, done: str, as_json: bool) -> None:
    from cli.talk.conversations import change

    with_server(lambda server, screen: change(server, screen, method, path, body, done), as_json)
