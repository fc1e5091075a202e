"""Conversations: begun, listed newest first, changed, stopped, deleted, restored."""

from typing import Annotated

from fastapi import APIRouter, Query, status
from pydantic import Field, StringConstraints

from api.rest.context import Here, PathId, Through, Who
from api.rest.pages import Cursor, Limit, Page
from core.modes import DEFAULT
from core.store import conversations
from core.store.submissions import ModeName
from core.store.work import change
from core.text import SafeStr
from core.values import Value, WhenBusy
from core.views import ConversationView, TurnView

router = APIRouter(prefix="/conversations", tags=["conversations"])

Title = Annotated[SafeStr, StringConstraints(strip_whitespace=True, max_length=200)]


_MODE = Field(description="How the assistant answers: see `GET /modes`.")
_BUSY = Field(description="What a message does while a turn runs: wait in the queue, stop that turn, or be refused.")


class NewConversation(Value):
    """Without a title it takes one from its first message."""

    title: Title = Field("", examples=["Shopping"])
    mode: Annotated[ModeName, _MODE] = DEFAULT
    when_busy: Annotated[WhenBusy, _BUSY] = WhenBusy.QUEUE


class Changes(Value):
    """What is to be otherwise; what is left out stays."""

    title: Annotated[Title, StringConstraints(min_length=1)] | None = Field(None, examples=["Groceries"])
    mode: Annotated[ModeName, _MODE] | None = None
    when_busy: Annotated[WhenBusy, _BUSY] | None = None


@router.post("", status_code=status.HTTP_201_CREATED)
async def create(here: Here, who: Who, door: Through, body: NewConversation | None = None) -> ConversationView:
    """Begin a conversation."""
    await here.limits.check("conversation", who.user_id)
    wanted = body or NewConversation()
    async with change(here.database, here.rooms) as work:
        return await conversations.create(work, who, door, **dict(wanted))


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
async def alter(here: Here, who: Who, conversation_id: PathId, body: Changes) -> ConversationView:
    """Give it another title, mode, or way of being busy. It holds for what is said from then on."""
    async with change(here.database, here.rooms) as work:
        return await conversations.alter(work, who, conversation_id, **dict(body))


@router.post("/{conversation_id}/stop")
async def stop(
    here: Here,
    who: Who,
    conversation_id: PathId,
    *,
    queued: Annotated[bool, Query(description="What waits in the queue, too.")] = False,
    waiting: Annotated[bool, Query(description="What waits for consent, too: it is withdrawn.")] = False,
) -> Page[TurnView]:
    """Stop what runs in it, at once; what was sent already is not undone. Lists what this stopped."""
    found = await here.intake.stop_conversation(who, conversation_id, queued=queued, waiting=waiting)
    return Page(items=found, next=None, total=len(found))


@router.delete("/{conversation_id}")
async def delete(here: Here, who: Who, conversation_id: PathId) -> ConversationView:
    """Hide it from everybody and stop what runs in it; it can be restored."""
    return await here.intake.delete_conversation(who, conversation_id)


@router.post("/{conversation_id}/restore")
async def restore(here: Here, who: Who, conversation_id: PathId) -> ConversationView:
    """Bring a deleted one back."""
    async with change(here.database, here.rooms) as work:
        return await conversations.restore(work, here.audit, who, conversation_id)
