"""`assent facts`: what is remembered of you, written, edited and forgotten."""

from typing import Annotated

import typer

from cli.talk.choices import Json, Limit, an_id, with_server

FactId = Annotated[str, typer.Argument(metavar="ID", callback=an_id, help="A fact's id.")]
Text = Annotated[str, typer.Argument(help="What is to be remembered.")]
Find = Annotated[str | None, typer.Option("--find", help="Only those that contain this.")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    for command in (add, edit, forget):
        app.command()(command)
    return app


def list_(limit: Limit = 50, find: Find = None, *, as_json: Json = False) -> None:
    """List what is remembered of you, newest first, and where it is from."""
    from cli.talk.facts import list_facts

    with_server(lambda server, screen: list_facts(server, screen, limit, find), as_json)


def add(text: Text, *, as_json: Json = False) -> None:
    """Have something remembered of you; what says the same is one fact."""
    _change("POST", "/facts", {"text": text}, "Remembered", as_json)


def edit(fact: FactId, text: Text, *, as_json: Json = False) -> None:
    """Put another text in a fact's place."""
    _change("PATCH", f"/facts/{fact}", {"text": text}, "Edited", as_json)


def forget(fact: FactId, *, as_json: Json = False) -> None:
    """Forget a fact for good, and never recall again the talk in which it was said."""
    _change("DELETE", f"/facts/{fact}", None, "Forgotten.", as_json)


def _change(method: str, path: str, body: dict[str, str] | None, done: str, as_json: bool) -> None:
    from cli.talk.conversations import change

    with_server(lambda server, screen: change(server, screen, method, path, body, done), as_json)
