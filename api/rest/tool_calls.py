"""Tool calls over conversations: those of unknown fate wait here for a person's word."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field, StringConstraints

from api.rest.context import Here, PathId, Who
from api.rest.pages import Cursor, Limit, Page
from core.store import outcomes, unsettled
from core.store.work import change
from core.text import SpokenStr
from core.values import CallState, Value
from core.views import ToolCallView

router = APIRouter(prefix="/tool-calls", tags=["tool calls"])

State = Annotated[CallState | None, Query(description="Only those in this state.")]


class SaidOutcome(Value):
    """What became of a call, as you found out; `detail` is told to the assistant too."""

    outcome: outcomes.Outcome = Field(examples=["done"])
    detail: Annotated[SpokenStr, StringConstraints(max_length=2000)] | None = Field(
        None, examples=["The mail is in the outbox."]
    )


@router.get("")
async def list_calls(
    here: Here, who: Who, state: State = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[ToolCallView]:
    """List the calls of your conversations, newest first, and those of others that wait for your word on their fate."""
    async with here.database.reading() as session:
        items, following, total = await unsettled.page(session, who, state=state, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("/{tool_call_id}/outcome")
async def settle(here: Here, who: Who, tool_call_id: PathId, body: SaidOutcome) -> ToolCallView:
    """Say what became of a call of unknown fate. What is known first stands; who comes later is told it (409)."""
    await here.limits.check("decision", who.user_id)
    async with change(here.database, here.rooms) as work:
        return await outcomes.say(work, here.audit, who, tool_call_id, body.outcome, body.detail)
