"""Read receipts: who has read how far, and what you have not read yet."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from api.rest.context import Here, PathId, Who
from api.rest.pages import Page
from core.store import reads
from core.store.work import change
from core.values import Value
from core.views import ReadView, UnreadView

router = APIRouter(tags=["messages"])


class ReadUpTo(Value):
    """Up to which message you have read, by its position."""

    position: Annotated[int, Field(ge=0, lt=2**31, strict=True)] = Field(examples=[12])


@router.post("/conversations/{conversation_id}/read")
async def mark_read(here: Here, who: Who, conversation_id: PathId, body: ReadUpTo) -> ReadView:
    """Say how far you have read; it only goes forward."""
    async with change(here.database, here.rooms) as work:
        return await reads.read(work, who, conversation_id, body.position)


@router.get("/conversations/{conversation_id}/reads")
async def list_reads(here: Here, who: Who, conversation_id: PathId) -> Page[ReadView]:
    """List how far each person has read who takes part."""
    async with here.database.reading() as session:
        items = await reads.readers(session, who, conversation_id)
    return Page(items=items, next=None, total=len(items))


@router.get("/unread")
async def list_unread(here: Here, who: Who) -> Page[UnreadView]:
    """List the conversations in which something was said that you have not read, the latest first."""
    async with here.database.reading() as session:
        items = await reads.unread(session, who)
    return Page(items=items, next=None, total=len(items))
