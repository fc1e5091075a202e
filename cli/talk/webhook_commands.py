"""`assent webhooks`: addresses that are told of what happens, and what became of each message."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.talk.choices import Json, an_id, with_server


class Event(StrEnum):
    """What an address can be told of."""

    REQUESTED = "approval.requested"
    CLOSED = "approval.closed"
    UNKNOWN = "call.unknown"


Address = Annotated[str, typer.Argument(metavar="URL", help="Where to tell it: https://...")]
Webhook = Annotated[str, typer.Argument(metavar="ID", callback=an_id, help="A webhook's id.")]
Events = Annotated[
    list[Event] | None,
    typer.Option("--event", help="What it is told of; several times.", show_default="approval.closed"),
]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    app.command("test")(try_)
    for command in (create, deliveries, disable):
        app.command()(command)
    return app


def list_(*, as_json: Json = False) -> None:
    """List the workspace's webhooks; for owners and admins."""
    from cli.talk.webhooks import list_webhooks

    with_server(list_webhooks, as_json)


def create(url: Address, event: Events = None, *, as_json: Json = False) -> None:
    """Have an address told of events; the secret that signs its messages is shown once."""
    from cli.talk.webhooks import create_webhook

    with_server(lambda server, screen: create_webhook(server, screen, url, event or []), as_json)


def try_(webhook: Webhook, *, as_json: Json = False) -> None:
    """Send it a message of type webhook.test."""
    from cli.talk.webhooks import test_webhook

    with_server(lambda server, screen: test_webhook(server, screen, webhook), as_json)


def deliveries(webhook: Webhook, *, as_json: Json = False) -> None:
    """List what went or goes to it, and what became of it."""
    from cli.talk.webhooks import list_deliveries

    with_server(lambda server, screen: list_deliveries(server, screen, webhook), as_json)


def disable(webhook: Webhook, *, as_json: Json = False) -> None:
    """Tell it nothing any more; what waits is dropped."""
    from cli.talk.webhooks import disable_webhook

    with_server(lambda server, screen: disable_webhook(server, screen, webhook), as_json)
