"""Outside requests: ask, take back, take to run, tell what came of it. Looking and deciding are with all approvals."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from pydantic import Field, StringConstraints

from api.asks import NewAsk, Taken
from api.rest.context import Here, PathId, Who
from core.ids import ClientId
from core.store.asks import Report
from core.text import SafeStr
from core.values import Value
from core.views import ApprovalView

MAX_WAIT = 60.0
router = APIRouter(prefix="/approvals", tags=["asking"])

Wait = Annotated[float, Query(ge=0, le=MAX_WAIT, description="Seconds to hold the answer back while it is open.")]


class Claim(Value):
    """Which revision is taken: the digest of what was approved. Sent twice under one `claim`, it is one taking."""

    digest: Annotated[SafeStr, StringConstraints(max_length=200)] = Field(examples=["sha256:5f1d"])
    claim: ClientId | None = Field(None, examples=["deploy-42"])


class Outcome(Report):
    """What came of it, in your own words."""

    detail: Annotated[SafeStr, StringConstraints(max_length=2_000)] = Field("", examples=["Deployed in 40 s."])


@router.post("", status_code=status.HTTP_201_CREATED, responses={200: {"description": "It was asked before."}})
async def ask(here: Here, who: Who, body: NewAsk, response: Response, wait: Wait = 0) -> ApprovalView:
    """Ask for consent to what you are about to do. Policy may settle it at once; else people decide.

    With `wait`, the answer comes when it is decided, or after so many seconds as it stands then. Under the same
    `client_key` it is the same request, so after a broken connection ask again.
    """
    await here.limits.check("ask", who.user_id)
    view, new = await here.asks.ask(who, body)
    if not new:
        response.status_code = status.HTTP_200_OK
    return await here.asks.decided(who, view.id, wait) if wait else view


@router.post("/{approval_id}/withdraw")
async def withdraw(here: Here, who: Who, approval_id: PathId) -> ApprovalView:
    """Take your request back; nobody needs to decide any more. Of one that was decided: 409."""
    await here.limits.check("ask", who.user_id)
    return await here.asks.withdraw(who, approval_id)


@router.post("/{approval_id}/consume")
async def consume(here: Here, who: Who, approval_id: PathId, body: Claim) -> Taken:
    """Take what was approved, to run it now: this works once (409 afterwards). Run exactly `arguments`."""
    await here.limits.check("ask", who.user_id)
    return await here.asks.consume(who, approval_id, body.digest, body.claim)


@router.post("/{approval_id}/outcome")
async def report(here: Here, who: Who, approval_id: PathId, body: Outcome) -> ApprovalView:
    """Tell what came of what you took; it goes to the audit trail. Only `unknown` may be told anew."""
    await here.limits.check("ask", who.user_id)
    return await here.asks.report(who, approval_id, Report(state=body.state, detail=body.detail))
