"""The options that several commands share, and how each of them begins."""

import re
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from core.permissions import Role as Role  # noqa: PLC0414  the commands' signatures use it

Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100, help="Most rows.")]
Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Folder of all state.")]
Comment = Annotated[str | None, typer.Option("--comment", help="Your reason; the assistant is told.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask again; needed where nobody can be asked.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Take the password from stdin's first line.")]


class Which(StrEnum):
    """Which approvals to list."""

    PENDING = "pending"
    DECIDED = "decided"
    ALL = "all"


def an_id(given: str | None) -> str | None:
    """Refuse what can be no id, before it becomes part of an address; raises BadParameter."""
    if given is not None and not re.fullmatch(r"[\w-]{1,100}", given, re.ASCII):
        message = "This is no id: an id has letters, digits, `_` and `-` only."
        raise typer.BadParameter(message)
    return given


def with_server(work: Callable[..., Awaitable[int | None]], as_json: bool) -> None:
    """Run `work(server, screen)` for the signed-in person."""
    from cli.talk.ending import run
    from cli.talk.screen import Screen
    from cli.talk.server import open_server

    screen = Screen(as_json=as_json)

    async def whole() -> int | None:
        async with open_server() as server:
            return await work(server, screen)

    run(whole(), screen)
