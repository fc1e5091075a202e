"""`assent documents`: what the assistant reads besides what is said."""

from pathlib import Path
from typing import Annotated

import typer

from cli.talk.choices import Json, Limit, an_id, with_server

File = Annotated[Path, typer.Argument(metavar="FILE", help="Text, Markdown, HTML, PDF or Word (.docx).")]
Document = Annotated[str, typer.Argument(metavar="ID", callback=an_id, help="A document's id.")]
OfConversation = Annotated[
    str | None,
    typer.Option("--conversation", metavar="ID", callback=an_id, help="Of this conversation; else the workspace's."),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not stay until it is read.")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    for command in (add, show, remove):
        app.command()(command)
    return app


def add(file: File, conversation: OfConversation = None, *, no_wait: NoWait = False, as_json: Json = False) -> None:
    """Upload a document, and stay until it is read; exit code 1 when it cannot be."""
    from cli.talk.documents import add as work

    with_server(lambda server, screen: work(server, screen, file, conversation, wait=not no_wait), as_json)


def list_(conversation: OfConversation = None, limit: Limit = 20, *, as_json: Json = False) -> None:
    """List the newest documents that you see."""
    from cli.talk.documents import list_documents

    with_server(lambda server, screen: list_documents(server, screen, conversation, limit), as_json)


def show(document: Document, *, as_json: Json = False) -> None:
    """Show a document and how far reading it is."""
    from cli.talk.documents import show as work

    with_server(lambda server, screen: work(server, screen, document), as_json)


def remove(document: Document, *, as_json: Json = False) -> None:
    """Erase a document with its file; this cannot be undone."""
    from cli.talk.documents import remove as work

    with_server(lambda server, screen: work(server, screen, document), as_json)
