"""Delegations: who decides in whose place, for how long and of what; handed over, listed, ended."""

from typing import Annotated

from fastapi import APIRouter, Query, status
from pydantic import AwareDatetime, Field, StringConstraints

from api.rest.context import Here, PathId, Proved, Who
from api.rest.pages import Cursor, Limit, Page
from connectors.manifest import Risk
from core.ids import Id
from core.store import delegations
from core.store.delegations import Wish
from core.store.work import change
from core.text import SafeStr
from core.values import Value
from core.views import DelegationView

router = APIRouter(prefix="/delegations", tags=["delegations"])

Everybody = Annotated[bool, Query(description="Everybody's in the workspace; for owners and admins.")]
Action = Annotated[SafeStr, StringConstraints(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$", max_length=80)]


class NewDelegation(Value):
    """Who decides instead of you, until when (30 days at most). Without `risks` and `actions`: all that you may.

    `from_user_id`: in whose place; without it yours; somebody else's only as owner or admin.
    """

    to_user_id: Id
    ends_at: AwareDatetime = Field(examples=["2026-03-06T18:00:00Z"])
    starts_at: AwareDatetime | None = None
    risks: frozenset[Risk] | None = Field(None, min_length=1, examples=[["write", "external_comms"]])
    actions: frozenset[Action] | None = Field(None, min_length=1, max_length=50, examples=[["email.send"]])
    note: Annotated[SafeStr, StringConstraints(max_length=500)] | None = Field(None, examples=["On holiday."])
    from_user_id: Id | None = None


@router.get("")
async def list_delegations(
    here: Here, who: Who, everybody: Everybody = False, limit: Limit = 50, cursor: Cursor = None
) -> Page[DelegationView]:
    """List the delegations from you and to you, newest first; ended ones too."""
    async with here.database.reading() as session:
        items, following, total = await delegations.page(session, who, everybody=everybody, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create(here: Here, who: Proved, body: NewDelegation) -> DelegationView:
    """Let somebody decide in your place for a time. They cannot pass it on; you still decide, too."""
    await here.limits.check("decision", who.user_id)
    wish = Wish(
        from_user_id=body.from_user_id or who.user_id,
        to_user_id=body.to_user_id,
        ends_at=body.ends_at,
        starts_at=body.starts_at,
        risks=tuple(sorted(body.risks)) if body.risks else None,
        actions=tuple(sorted(body.actions)) if body.actions else None,
        note=body.note,
    )
    async with change(here.database, here.rooms) as work:
        return await delegations.create(work, here.audit, who, wish)


@router.post("/{delegation_id}/revoke")
async def revoke(here: Here, who: Who, delegation_id: PathId) -> DelegationView:
    """End a delegation at once, also for what was decided by it and has not begun."""
    async with change(here.database, here.rooms) as work:
        return await delegations.revoke(work, here.audit, who, delegation_id)
