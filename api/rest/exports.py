"""A conversation as a file, and a file as a conversation."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.responses import StreamingResponse

from api.archives import packed
from api.downloads import headers_for
from api.exports import Format, written
from api.importing import Imported, Importer
from api.rest.context import Here, PathId, Who
from core.ids import ClientId
from core.store import export as exports
from core.store.work import change

router = APIRouter(prefix="/conversations", tags=["conversations"])

Attachments = Annotated[bool, Query(description="A zip with the documents, and the conversation as JSON too.")]
Form = Annotated[Format, Query(alias="format", description="How it is written down.")]
ImportKey = Annotated[ClientId, Query(description="The same file under the same key is imported once.")]
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/zip": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.get("/{conversation_id}/export", response_class=Response)
async def export(
    here: Here, who: Who, conversation_id: PathId, form: Form = Format.JSON, *, attachments: Attachments = False
) -> Response:
    """Give the whole conversation, with every version of it, as a file to keep."""
    await here.limits.check("export", who.user_id)
    async with here.database.reading() as session:
        file = await exports.whole(session, who, conversation_id)
        keys = await exports.keys_of(session, conversation_id)
    async with change(here.database, here.rooms) as work:
        facts = {"format": form, "attachments": attachments, "messages": len(file.messages)}
        await here.audit.record(work, who.workspace_id, who.user_id, "conversation.exported", conversation_id, **facts)
    name = file.conversation.title or "conversation"
    if attachments:
        parts = packed(file, form, here.settings.uploads_dir, keys)
        return StreamingResponse(parts, media_type="application/zip", headers=headers_for(f"{name}.zip"))
    content = await asyncio.to_thread(written, file, form)
    return Response(content, media_type=form.media_type, headers=headers_for(f"{name}.{form.suffix}"))


@router.post("/import", status_code=status.HTTP_201_CREATED, openapi_extra=_FILE)
async def import_(
    here: Here, who: Who, request: Request, response: Response, client_import_id: ImportKey = "once"
) -> Imported:
    """Take in a conversation that was exported as JSON, or as a zip; it becomes yours. 200: it was here before."""
    await here.limits.check("conversation", who.user_id)
    importer = Importer(here.settings, here.database, here.rooms, here.audit)
    found = await importer.take_in(who, request, client_import_id)
    if found.duplicate:
        response.status_code = status.HTTP_200_OK
    return found
