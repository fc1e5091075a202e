"""Search, export and import on the command line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.talk.files import keep, parts, send_whole
from cli.talk.screen import Screen, one_line
from cli.talk.server import Server

_SUFFIXES = {"json": "json", "markdown": "md", "html": "html"}


async def search(server: Server, screen: Screen, words: str, conversation_id: str | None, limit: int) -> None:
    """Show what fits, best first, the places marked by brackets."""
    page = await server.get("/search", q=words, conversation_id=conversation_id, limit=limit)
    if screen.json:
        screen.data(page)
        return
    for hit in page["items"]:
        title = one_line(hit["conversation_title"]) or "Untitled"
        screen.show(f"{hit['conversation_id']}  {hit['created_at'][:16].replace('T', ' ')}  {title}", "bold")
        for fragment in hit["fragments"]:
            screen.show(f"  {hit['role']}: {one_line(_marked(fragment))}")
    if not page["items"]:
        screen.show("Nothing fits.")
    if page["total"] > len(page["items"]):
        screen.say(f"{page['total'] - len(page['items'])} more: raise --limit.")
    if not page["meaning"]:
        screen.say(f"Only words were compared: {page['reason']}")


def _marked(fragment: Mapping[str, Any]) -> str:
    text = str(fragment["text"])
    for mark in reversed(fragment["marks"]):
        text = f"{text[: mark['start']]}[{text[mark['start'] : mark['end']]}]{text[mark['end'] :]}"
    return text


async def export(
    server: Server,
    screen: Screen,
    conversation_id: str,
    form: str,
    output: Path | None,
    *,
    attachments: bool,
    force: bool,
) -> None:
    """Write a conversation to a file."""
    file = output or Path(f"{conversation_id}.{'zip' if attachments else _SUFFIXES[form]}")
    query = {"format": form, "attachments": str(attachments).lower()}
    size = await keep(parts(server, f"/conversations/{conversation_id}/export", query), file, force=force)
    if screen.json:
        screen.data({"file": str(file), "bytes": size})
    else:
        screen.show(f"Wrote {file}, {size} bytes.")


async def import_(server: Server, screen: Screen, file: Path, key: str) -> None:
    """Take a file in."""
    found = await send_whole(server, "/conversations/import", file, {"client_import_id": key})
    if screen.json:
        screen.data(found)
        return
    done = "It was here before:" if found["duplicate"] else "Imported"
    screen.show(f"{done} {found['conversation']['id']}")
