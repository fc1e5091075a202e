"""Documents: files that the assistant reads, of one conversation or of the whole workspace."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, status
from fastapi.responses import FileResponse
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData

from api.downloads import headers_for
from api.rest.context import Here, PathId, Who
from api.rest.pages import Cursor, Limit, Page
from api.uploads import Stored, file_in, form_of, stored
from core.errors import Invalid, NotFound
from core.ids import Id, new_id
from core.store import documents
from core.store.documents import Upload
from core.store.work import change
from core.views import DocumentView

router = APIRouter(prefix="/documents", tags=["documents"])

_ID: TypeAdapter[str] = TypeAdapter(Id)
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "Text, Markdown, HTML, PDF, docx.",
                        },
                        "conversation_id": {"type": "string", "description": "Without it, the whole workspace's."},
                    },
                }
            }
        },
    }
}
OfConversation = Annotated[Id | None, Query(description="Only those of this conversation.")]


@router.post("", status_code=status.HTTP_201_CREATED, openapi_extra=_FORM)
async def add(here: Here, who: Who, request: Request) -> DocumentView:
    """Add a document: everybody sees it who sees the conversation, or the workspace. Reading it goes on after this."""
    await here.limits.check("document", who.user_id)
    async with here.database.reading() as session:
        await documents.check_may_add(session, who, None)
    most = here.settings.upload_bytes
    async with form_of(request, most) as form:
        file, name = file_in(form, most)
        conversation_id = _conversation_in(form)
        async with here.database.reading() as session:
            await documents.check_may_add(session, who, conversation_id)
        async with stored(file.file, name, here.settings.uploads_dir) as kept:
            async with change(here.database, here.rooms) as work:
                return await documents.add(work, who, _upload(kept, name, conversation_id))


@router.get("")
async def list_documents(
    here: Here, who: Who, conversation_id: OfConversation = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[DocumentView]:
    """List the documents that you see, newest first."""
    async with here.database.reading() as session:
        items, following, total = await documents.page(
            session, who, conversation_id=conversation_id, limit=limit, cursor=cursor
        )
    return Page(items=items, next=following, total=total)


@router.get("/{document_id}")
async def get(here: Here, who: Who, document_id: PathId) -> DocumentView:
    """Show a document and how far reading it is."""
    async with here.database.reading() as session:
        return await documents.one(session, who, document_id)


@router.get("/{document_id}/content", response_class=FileResponse)
async def get_content(here: Here, who: Who, document_id: PathId) -> FileResponse:
    """Give the file as it was uploaded, to be saved."""
    async with here.database.reading() as session:
        document, key = await documents.stored(session, who, document_id)
    path = here.settings.uploads_dir / key
    if not key or not await asyncio.to_thread(path.is_file):
        message = "The file itself is not here."
        raise NotFound(message)
    return FileResponse(path, headers=headers_for(document.name), media_type=document.media_type)


@router.delete("/{document_id}")
async def delete(here: Here, who: Who, document_id: PathId) -> DocumentView:
    """Hide a document at once, and erase its file and its text; this cannot be undone."""
    async with change(here.database, here.rooms) as work:
        document, key = await documents.remove(work, who, document_id)
    if key:
        await asyncio.to_thread((here.settings.uploads_dir / key).unlink, missing_ok=True)
    return document


def _conversation_in(form: FormData) -> str | None:
    given = form.get("conversation_id")
    if given is None or not given:
        return None
    try:
        return _ID.validate_python(given)
    except ValidationError:
        message = "conversation_id: this is no id."
        raise Invalid(message) from None


def _upload(kept: Stored, name: str, conversation_id: str | None) -> Upload:
    return Upload(
        id=new_id("doc"),
        conversation_id=conversation_id,
        name=name,
        media_type=kept.media_type,
        size=kept.size,
        sha256=kept.sha256,
        storage_key=kept.key,
    )
