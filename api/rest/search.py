"""Search over your own conversations, by words and by meaning."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from api.rest.context import Here, Who
from api.rest.pages import Cursor, Limit
from api.searching import SearchPage
from core.ids import Id
from core.text import SafeStr

router = APIRouter(prefix="/search", tags=["search"])

Words = Annotated[
    SafeStr,
    StringConstraints(max_length=1000),
    Query(description='Words, all of which must be there, and "phrases in quotes".', examples=['invoice "last week"']),
]
InConversation = Annotated[Id | None, Query(description="Only in this conversation.")]


@router.get("")
async def search(
    here: Here, who: Who, q: Words, conversation_id: InConversation = None, limit: Limit = 20, cursor: Cursor = None
) -> SearchPage:
    """Find messages in the conversations you take part in, best first, with the places that fit."""
    await here.limits.check("search", who.user_id)
    return await here.searching.search(who, q, conversation_id=conversation_id, limit=limit, cursor=cursor)
