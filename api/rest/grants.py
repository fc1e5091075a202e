"""Grants: what "always allow" would mean for a request, what it gave, and ending that."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from api.rest.context import Here, PathId, Who
from api.rest.pages import Cursor, Limit, Page
from connectors.registry import UnknownAction
from core.policy import grants as patterns
from core.store import approvals, grants
from core.store.work import change
from core.values import Value
from core.views import GrantView

router = APIRouter(tags=["grants"])
MAX_SECONDS, MAX_USES = 90 * 86_400, 10_000

Everybody = Annotated[bool, Query(description="Everybody's in the workspace; for owners and admins.")]


class GrantSuggestion(Value):
    """What could be always allowed of a request: `choices` for each argument, tightest first, and the tightest set.

    An argument that the call has not must be absent. Show the person what the chosen patterns say before they confirm.
    """

    may_remember: bool
    choices: tuple[patterns.Choice, ...] = ()
    patterns: dict[str, Any] = Field(default_factory=dict)
    max_seconds: int = MAX_SECONDS
    max_uses: int = MAX_USES


@router.get("/approvals/{approval_id}/grant-suggestion")
async def suggest(here: Here, who: Who, approval_id: PathId) -> GrantSuggestion:
    """Propose what "always allow" could cover for this request; a decision takes the patterns chosen as `remember`."""
    async with here.database.reading() as session:
        view = await approvals.one(session, who, approval_id)
        offered = await grants.is_offered(session, who, approval_id)
    try:
        schema = here.registry.of(who.workspace_id).action(view.action).spec.schema_
    except UnknownAction:
        return GrantSuggestion(may_remember=False)
    if not offered:
        return GrantSuggestion(may_remember=False)
    choices = patterns.suggest(view.arguments, schema)
    return GrantSuggestion(may_remember=True, choices=choices, patterns=patterns.tightest(choices))


@router.get("/grants")
async def list_grants(
    here: Here, who: Who, everybody: Everybody = False, limit: Limit = 50, cursor: Cursor = None
) -> Page[GrantView]:
    """List what lets your calls pass unasked, and what you gave to others, newest first; ended ones too."""
    async with here.database.reading() as session:
        items, following, total = await grants.page(session, who, everybody=everybody, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("/grants/{grant_id}/revoke")
async def revoke(here: Here, who: Who, grant_id: PathId) -> GrantView:
    """End a grant at once, also for calls that it let pass and that have not begun; people are asked again."""
    async with change(here.database, here.rooms) as work:
        return await grants.revoke(work, here.audit, who, grant_id)
