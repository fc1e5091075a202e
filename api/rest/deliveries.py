"""Deliveries: what was sent to chats, yours or about a request of yours, and what became of it."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.rest.context import Here, Who
from api.rest.pages import Cursor, Limit, Page
from core.store import deliveries
from core.views import DeliveryView

router = APIRouter(prefix="/deliveries", tags=["channels"])

OfApproval = Annotated[str | None, Query(max_length=64, description="Only those about this request.")]


@router.get("")
async def list_deliveries(
    here: Here, who: Who, approval_id: OfApproval = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[DeliveryView]:
    """List what was sent to you on channels, newest first: a prompt that never arrived says why.

    Of one request, whoever asked for it, owners and admins see what became of the messages to others, too: on which
    channel, in what state and why, but neither where there nor what they say.
    """
    async with here.database.reading() as session:
        items, following, total = await deliveries.page(
            session, who, approval_id=approval_id, limit=limit, cursor=cursor
        )
    return Page(items=items, next=following, total=total)
