"""The messages of a conversation: listed from the newest back, and said."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from pydantic import Field

from api.intake import Accepted
from api.rest.context import Here, PathId, Through, Who
from api.rest.pages import Limit, Page
from api.waiting import Outcome, outcome
from core.ids import ClientId, Id
from core.store import branches, forgetting, messages, threads
from core.store.submissions import MessageType, ModelName, ModeName, Wishes
from core.store.work import change
from core.text import SafeStr
from core.values import TurnState, Value
from core.views import MessageView, ProblemView

router = APIRouter(tags=["messages"])

Wait = Annotated[float, Query(ge=0, le=60, allow_inf_nan=False, description="Wait so many seconds for the answer.")]
Before = Annotated[int | None, Query(ge=0, lt=2**31, description="`next` of the page before.")]


class NewMessage(Value):
    """What you say. Sent twice under the same client id, it is said once."""

    text: SafeStr = Field(examples=["Add a task: Buy milk"])
    client_message_id: ClientId = Field(examples=["4f7c2a0e-1"])
    reply_to_id: Id | None = Field(None, description="The message that this replies to: it goes into its thread.")
    mode: ModeName | None = Field(None, description="For this turn another mode than the conversation's.")
    model: ModelName | None = Field(None, description="The only model that may answer; else the server chooses.")
    message_type: MessageType = Field("text", description="What it is about, as a hint.", examples=["fitness_plan"])


class Said(Value):
    """The message is kept; with `wait`, how its turn stands."""

    message_id: str
    turn_id: str
    state: TurnState
    duplicate: bool
    reply: MessageView | None = None
    requires_approval: bool = False
    approval_id: str | None = None
    error: ProblemView | None = None


@router.get("/conversations/{conversation_id}/messages")
async def list_messages(
    here: Here,
    who: Who,
    conversation_id: PathId,
    limit: Limit = 50,
    cursor: Before = None,
    thread: Annotated[Id | None, Query(description="Only this thread: the id of the message it hangs on.")] = None,
    branch: Annotated[str | None, Query(description="Another version than is shown; `trunk`: the first.")] = None,
) -> Page[MessageView]:
    """List the newest messages, oldest first; `next` leads to those before."""
    async with here.database.reading() as session:
        if thread is None:
            items, following, total = await branches.messages_of(
                session, who, conversation_id, branch, before=cursor, limit=limit
            )
        else:
            items, following, total = await threads.messages_of(
                session, who, conversation_id, thread, before=cursor, limit=limit
            )
    return Page(items=items, next=None if following is None else str(following), total=total)


@router.get("/messages/{message_id}")
async def get_message(here: Here, who: Who, message_id: PathId) -> MessageView:
    """Show one message, whole."""
    async with here.database.reading() as session:
        return await messages.one(session, who, message_id)


@router.post("/messages/{message_id}/forget")
async def forget(here: Here, who: Who, message_id: PathId) -> MessageView:
    """Never recall it again, nor what was answered to it; it stays where it was said."""
    async with change(here.database, here.rooms) as work:
        return await forgetting.forget_message(work, who, message_id)


@router.post(
    "/conversations/{conversation_id}/messages",
    status_code=status.HTTP_202_ACCEPTED,
    responses={200: {"model": Said, "description": "The turn has ended, or it waits for an approval."}},
)
async def say(
    here: Here,
    who: Who,
    door: Through,
    conversation_id: PathId,
    body: NewMessage,
    response: Response,
    wait: Wait = 0,
) -> Said:
    """Say something. The answer comes as events; with `?wait=SECONDS` 200 says that the turn has ended or waits."""
    await here.limits.check("message", who.user_id)
    wishes = Wishes.model_validate(body.model_dump(include=set(Wishes.model_fields)))
    accepted = await here.intake.submit_message(who, door, conversation_id, body.text, body.client_message_id, wishes)
    if not wait:
        return _said(accepted)
    found = await outcome(here.database, here.rooms, who, accepted.turn_id, wait)
    if found.is_settled:
        response.status_code = status.HTTP_200_OK
    return _said(accepted, found)


def _said(accepted: Accepted, found: Outcome | None = None) -> Said:
    known = {"message_id": accepted.message_id, "turn_id": accepted.turn_id, "duplicate": accepted.duplicate}
    if found is None:
        return Said.model_validate({**known, "state": accepted.state})
    return Said.model_validate({**known, **dict(found), "requires_approval": found.approval_id is not None})
