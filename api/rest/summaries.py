"""Summaries: what a long conversation came to so far, version by version."""

from fastapi import APIRouter

from api.rest.context import Here, PathId, Who
from api.rest.messages import Before
from api.rest.pages import Limit, Page
from core.store import summaries
from core.views import SummaryView

router = APIRouter(tags=["memory"])


@router.get("/conversations/{conversation_id}/summaries")
async def list_summaries(
    here: Here, who: Who, conversation_id: PathId, limit: Limit = 20, cursor: Before = None
) -> Page[SummaryView]:
    """List a conversation's summaries, the newest version first."""
    async with here.database.reading() as session:
        items, following, total = await summaries.page(session, who, conversation_id, limit=limit, before=cursor)
    return Page(items=items, next=None if following is None else str(following), total=total)
