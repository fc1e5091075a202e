"""Conversations: begun, listed newest first, renamed, deleted, restored."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, status
from pydantic import Field, StringConstraints

from api.rest.context import Here, PathId, Through, Who
from api.rest.pages import Cursor, Limit, Page
from core.store import conversations
from core.store.work import change
from core.text import SafeStr
from core.values import Value
from core.views import ConversationView

router = APIRouter(prefix="/conversations", tags=["conversations"])

Title = Annotated[SafeStr, StringConstraints(strip_whitespace=True, max_length=200)]


class NewConversation(Value):
    """Without a title it takes one from its first message."""

    title: Title = Field("", examples=["Shopping"])
    mode: Literal["full"] = Field("full", description="How much the assistant may do; more modes come later.")


class Rename(Value):
    """Another title."""

    title: Annotated[Title, StringConstraints(min_length=1)] = Field(examples=["Groceries"])


@router.post("", status_code=status.HTTP_201_CREATED)
async def create(here: Here, who: Who, door: Through, body: NewConversation | None = None) -> ConversationView:
    """Begin a conversation."""
    await here.limits.check("conversation", who.user_id)
    wanted = body or NewConversation()
    async with change(here.database, here.rooms) as work:
        return await conversations.create(work, who, door, title=wanted.title, mode=wanted.mode)


@router.get("")
async def list_conversations(
    here: Here,
    who: Who,
    limit: Limit = 50,
    cursor: Cursor = None,
    *,
    deleted: Annotated[bool, Query(description="The deleted ones instead.")] = False,
) -> Page[ConversationView]:
    """List the conversations you take part in, last active first."""
    async with here.database.reading() as session:
        items, following, total = await conversations.page(session, who, limit=limit, cursor=cursor, deleted=deleted)
    return Page(items=items, next=following, total=total)


@router.get("/{conversation_id}")
async def get(here: Here, who: Who, conversation_id: PathId) -> ConversationView:
    """Show one conversation."""
    async with here.database.reading() as session:
        return await conversations.one(session, who, conversation_id)


@router.patch("/{conversation_id}")
async def rename(here: Here, who: Who, conversation_id: PathId, body: Rename) -> ConversationView:
    """Give it another title."""
    async with change(here.database, here.rooms) as work:
        return await conversations.rename(work, who, conversation_id, body.title)


@router.delete("/{conversation_id}")
async def delete(here: Here, who: Who, conversation_id: PathId) -> ConversationView:
    """Hide it from everybody and stop what runs in it; it can be restored."""
    return await here.intake.delete_conversation(who, conversation_id)


@router.post("/{conversation_id}/restore")
async def restore(here: Here, who: Who, conversation_id: PathId) -> ConversationView:
    """Bring a deleted one back."""
    async with change(here.database, here.rooms) as work:
        return await conversations.restore(work, who, conversation_id)
