"""Approvals: what waits for consent, and the decision."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response, status
from pydantic import Field, StringConstraints

from api.intake import Decided
from api.rest.asks import Wait
from api.rest.context import Here, PathId, Through, Who
from api.rest.pages import Cursor, Limit, Page
from api.scopes import check_asked
from core.ids import ClientId
from core.store import approvals, seen
from core.store.decisions import GrantWish
from core.store.work import change
from core.text import SafeStr
from core.values import DecisionVerdict, Value
from core.views import ApprovalView

router = APIRouter(prefix="/approvals", tags=["approvals"])

State = Annotated[Literal["pending", "decided"] | None, Query(description="Only those; without it both.")]


Mine = Annotated[bool, Query(description="Only those that wait for you to decide now: your inbox.")]


class NewDecision(Value):
    """Your answer to exactly what you were shown: `digest` says what that was."""

    verdict: DecisionVerdict = Field(examples=["approve"])
    digest: Annotated[SafeStr, StringConstraints(max_length=200)] = Field(
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
    )
    decision_id: ClientId = Field(examples=["4f7c2a0e-3"], description="Sent twice under it, it is one decision.")
    comment: Annotated[SafeStr, StringConstraints(max_length=2000)] | None = Field(None, examples=["Not this one."])
    arguments: dict[str, Any] | None = Field(
        None, description="Approve these instead: they are checked and judged anew, and earlier votes count no more."
    )
    remember: GrantWish | None = Field(None, description="Always allow the like: see `grant-suggestion`.")


@router.get("")
async def list_approvals(
    here: Here,
    who: Who,
    state: State = None,
    conversation_id: SafeStr | None = None,
    mine: Mine = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ApprovalView]:
    """List the approvals that you may decide or whose conversation you take part in, newest first."""
    async with here.database.reading() as session:
        items, following, total = await approvals.page(
            session, who, state=state, conversation_id=conversation_id, mine=mine, limit=limit, cursor=cursor
        )
    return Page(items=items, next=following, total=total)


@router.get("/{approval_id}")
async def get(here: Here, who: Who, door: Through, approval_id: PathId, wait: Wait = 0) -> ApprovalView:
    """Show one approval; this decides nothing. With `wait`, once it is decided, or after so many seconds as it is.

    Who is shown it for the first time is noted. A token that may only `ask` sees what it asked for.
    """
    async with here.database.reading() as session:
        found = await approvals.one(session, who, approval_id)
        news = await seen.is_news(session, who, approval_id)
    check_asked(who, found)
    if news:
        async with change(here.database, here.rooms) as work:
            await seen.note(work, here.audit, who, approval_id, door)
    return await here.asks.decided(who, approval_id, wait) if wait else found


@router.post(
    "/{approval_id}/decision",
    responses={202: {"model": Decided, "description": "Kept, and on its way: its workflow does not answer just now."}},
)
async def decide(
    here: Here, who: Who, door: Through, approval_id: PathId, body: NewDecision, response: Response
) -> Decided:
    """Approve or reject. The first terminal outcome stands; who comes later is told whose it was (409)."""
    await here.limits.check("decision", who.user_id)
    decided = await here.intake.submit_decision(
        who, door, approval_id, body.verdict, body.digest, body.decision_id, body.comment, body.arguments, body.remember
    )
    if decided.state == "received":
        response.status_code = status.HTTP_202_ACCEPTED
    return decided
