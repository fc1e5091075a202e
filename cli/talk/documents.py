"""Documents on the command line."""

import asyncio
from pathlib import Path

from cli.talk.files import send_form
from cli.talk.screen import Screen
from cli.talk.server import Server
from core.views import DocumentView

_PAUSE = 0.3
_ENDED = frozenset({"ready", "failed"})


async def add(server: Server, screen: Screen, file: Path, conversation_id: str | None, *, wait: bool) -> int:
    """Upload a document and tell how reading it goes; 1 when it cannot be read."""
    fields = {"conversation_id": conversation_id} if conversation_id else {}
    document = DocumentView.model_validate(await send_form(server, "/documents", file, fields))
    if not screen.json:
        screen.show(f"Added {document.id}: {document.name}")
    told = ""
    while wait and document.state not in _ENDED:
        await asyncio.sleep(_PAUSE)
        document = DocumentView.model_validate(await server.get(f"/documents/{document.id}"))
        if (line := _progress(document)) != told:
            told = line
            screen.say(line, "dim")
    if screen.json:
        screen.data(document.model_dump(mode="json"))
    elif wait:
        screen.show(_outcome(document))
    return 1 if document.state == "failed" else 0


async def list_documents(server: Server, screen: Screen, conversation_id: str | None, limit: int) -> None:
    """List the newest documents."""
    page = await server.get("/documents", conversation_id=conversation_id, limit=limit)
    if screen.json:
        screen.data(page)
        return
    views = [DocumentView.model_validate(item) for item in page["items"]]
    rows = [(one.id, one.state, one.conversation_id or "the workspace", one.name) for one in views]
    screen.table(("ID", "STATE", "OF", "NAME"), rows)
    if page["total"] > len(views):
        screen.say(f"{page['total'] - len(views)} more: raise --limit.")


async def show(server: Server, screen: Screen, document_id: str) -> None:
    """Show one document."""
    found = await server.get(f"/documents/{document_id}")
    if screen.json:
        screen.data(found)
        return
    document = DocumentView.model_validate(found)
    screen.show(document.name, "bold")
    screen.show(f"{document.media_type}, {document.size} bytes, of {document.conversation_id or 'the workspace'}")
    screen.show(_outcome(document))


async def remove(server: Server, screen: Screen, document_id: str) -> None:
    """Erase one."""
    found = await server.ask("DELETE", f"/documents/{document_id}")
    if screen.json:
        screen.data(found)
    else:
        screen.show(f"Removed {document_id}")


def _progress(document: DocumentView) -> str:
    if not document.chunks_total:
        return document.state
    return f"{document.state}: {document.chunks_done} of {document.chunks_total} pieces"


def _outcome(document: DocumentView) -> str:
    pages = f", {document.pages} pages" if document.pages else ""
    detail = f": {document.detail}" if document.detail else ""
    if document.state == "ready":
        return f"ready, {document.chunks_done} pieces{pages}{detail}"
    return f"{document.state}{detail}"
