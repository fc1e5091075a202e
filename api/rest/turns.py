"""Turns: how far they are, stopped, tried again."""

from fastapi import APIRouter, status
from pydantic import Field

from api.intake import Accepted
from api.rest.context import Here, PathId, Through, Who
from api.rest.pages import Limit, Page
from api.timeline import Timeline
from core.ids import ClientId
from core.store import calls, conversations, partials, recollections, turns
from core.values import Value
from core.views import PartialView, RecallTextsView, ToolCallView, TurnView

router = APIRouter(tags=["turns"])


class Retry(Value):
    """Sent twice under the same client id, it is one retry."""

    client_message_id: ClientId = Field(examples=["4f7c2a0e-2"])


@router.get("/turns/{turn_id}")
async def get(here: Here, who: Who, turn_id: PathId) -> TurnView:
    """Show a turn."""
    async with here.database.reading() as session:
        return await turns.one(session, who, turn_id)


@router.get("/turns/{turn_id}/calls")
async def list_calls(here: Here, who: Who, turn_id: PathId) -> Page[ToolCallView]:
    """List a turn's tool calls in their order."""
    async with here.database.reading() as session:
        await turns.one(session, who, turn_id)
        found = await calls.of_turn(session, who, turn_id)
    return Page(items=found, next=None, total=len(found))


@router.get("/turns/{turn_id}/recall")
async def get_recall(here: Here, who: Who, turn_id: PathId) -> RecallTextsView | None:
    """Show what a turn was given from memory, with the texts that are still there; null when it looked nothing up."""
    async with here.database.reading() as session:
        return await recollections.of_turn(session, who, turn_id)


@router.get("/turns/{turn_id}/partial")
async def get_partial(here: Here, who: Who, turn_id: PathId) -> PartialView | None:
    """Show the text that a running turn has so far; null when there is none."""
    async with here.database.reading() as session:
        return await partials.of_turn(session, who, turn_id)


@router.get("/conversations/{conversation_id}/turns")
async def list_turns(here: Here, who: Who, conversation_id: PathId, limit: Limit = 50) -> Page[TurnView]:
    """List a conversation's newest turns, newest first."""
    async with here.database.reading() as session:
        await conversations.one(session, who, conversation_id)
        found = await turns.of_conversation(session, who, conversation_id, limit)
        total = await turns.count(session, conversation_id)
    return Page(items=found, next=None, total=total)


@router.get("/turns/{turn_id}/history")
async def get_history(here: Here, who: Who, turn_id: PathId) -> Timeline:
    """Tell what happened in a turn, in one order, from SQL and Temporal."""
    return await here.histories.timeline(who, turn_id)


@router.get("/conversations/{conversation_id}/calls")
async def list_conversation_calls(
    here: Here, who: Who, conversation_id: PathId, limit: Limit = 50
) -> Page[ToolCallView]:
    """List a conversation's newest tool calls, oldest first."""
    async with here.database.reading() as session:
        await conversations.one(session, who, conversation_id)
        found = await calls.of_conversation(session, who, conversation_id, limit)
    return Page(items=found, next=None, total=len(found))


@router.post("/turns/{turn_id}/stop")
async def stop(here: Here, who: Who, turn_id: PathId) -> TurnView:
    """Stop a turn at once; what was sent already is not undone. Stopping twice is stopping once."""
    return await here.intake.stop_turn(who, turn_id)


@router.post("/turns/{turn_id}/retry", status_code=status.HTTP_202_ACCEPTED)
async def retry(here: Here, who: Who, door: Through, turn_id: PathId, body: Retry) -> Accepted:
    """Answer the message of an ended turn again, as a new turn."""
    await here.limits.check("message", who.user_id)
    return await here.intake.retry_turn(who, door, turn_id, body.client_message_id)
