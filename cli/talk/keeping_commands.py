"""`assent search`, `export` and `import`: finding what was said, and taking it elsewhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.talk.choices import Json, Limit, an_id, with_server


class Format(StrEnum):
    """How a conversation is written down."""

    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


Words = Annotated[str, typer.Argument(metavar="WORDS", help='What to look for: words, and "phrases in quotes".')]
InConversation = Annotated[
    str | None, typer.Option("--conversation", metavar="ID", callback=an_id, help="Only in this conversation.")
]
Conversation = Annotated[str, typer.Argument(metavar="ID", callback=an_id, help="A conversation's id.")]
Form = Annotated[Format, typer.Option("--format", help="How it is written down.")]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to.", show_default="its id, here")
]
Attachments = Annotated[bool, typer.Option("--attachments", help="A zip, with the documents.")]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="What `assent export` wrote, as JSON or as a zip.")]
Key = Annotated[str, typer.Option("--key", help="Another key imports the same file once more.")]


def search(words: Words, conversation: InConversation = None, limit: Limit = 20, *, as_json: Json = False) -> None:
    """Find what was said in your conversations, by words and by meaning."""
    from cli.talk.keeping import search as work

    with_server(lambda server, screen: work(server, screen, words, conversation, limit), as_json)


def export(
    conversation: Conversation,
    form: Form = Format.JSON,
    output: Output = None,
    *,
    attachments: Attachments = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write a conversation to a file, with every version of it."""
    from cli.talk.keeping import export as work

    with_server(
        lambda server, screen: work(
            server, screen, conversation, form.value, output, attachments=attachments, force=force
        ),
        as_json,
    )


def import_(file: File, key: Key = "once", *, as_json: Json = False) -> None:
    """Take in a conversation that was exported; it becomes yours, once for each file."""
    from cli.talk.keeping import import_ as work

    with_server(lambda server, screen: work(server, screen, file, key), as_json)
