"""`assent calls`: what was called, and what became of it."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.talk.choices import Comment, Json, Limit, an_id, with_server

Call = Annotated[str, typer.Argument(metavar="ID", callback=an_id, help="A call's id.")]
Unknown = Annotated[bool, typer.Option("--unknown", help="Only those of which nobody knows whether they took effect.")]


class Became(StrEnum):
    """What became of a call."""

    DONE = "done"
    FAILED = "failed"
    NOT_DONE = "not-done"


Outcome = Annotated[Became, typer.Argument(help="It took effect; it was tried and failed; it did not happen.")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    app.command()(settle)
    return app


def list_(limit: Limit = 50, *, unknown: Unknown = False, as_json: Json = False) -> None:
    """List calls of your conversations, and those of others that wait for your word."""
    from cli.talk.calls import list_calls

    with_server(lambda server, screen: list_calls(server, screen, unknown=unknown, limit=limit), as_json)


def settle(call: Call, outcome: Outcome, comment: Comment = None, *, as_json: Json = False) -> None:
    """Say what became of a call of unknown fate, once you looked; the assistant is told."""
    from cli.talk.calls import settle as work

    said = outcome.value.replace("-", "_")
    with_server(lambda server, screen: work(server, screen, call, said, comment), as_json)
