"""Threads inside a conversation: what hangs on which message."""

from fastapi import APIRouter

from api.rest.context import Here, PathId, Who
from api.rest.pages import Cursor, Limit, Page
from core.store import threads
from core.views import ThreadView

router = APIRouter(tags=["messages"])


@router.get("/conversations/{conversation_id}/threads")
async def list_threads(
    here: Here, who: Who, conversation_id: PathId, limit: Limit = 50, cursor: Cursor = None
) -> Page[ThreadView]:
    """List a conversation's threads, newest first; `?thread=` of its messages shows one."""
    async with here.database.reading() as session:
        items, following, total = await threads.page(session, who, conversation_id, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)
