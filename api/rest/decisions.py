"""Decisions: what people answered to a request, who was shown it, and answers to many at once."""

import asyncio
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from api.intake import Decided, Intake
from api.problems import Problem, told
from api.rest.approvals import NewDecision
from api.rest.context import Here, PathId, Through, Who
from api.rest.pages import Cursor, Limit, Page
from core.errors import AssentError
from core.ids import Id
from core.permissions import Principal
from core.store import decisions, seen
from core.values import Value
from core.views import DecisionView, SeenView

router = APIRouter(prefix="/approvals", tags=["approvals"])

MOST_AT_ONCE = 50
_SIDE_BY_SIDE = 5


class OneOfMany(NewDecision):
    """One answer among many: each says what it was shown."""

    approval_id: Id


class Answered(Value):
    """What became of one answer: it counts or is on its way (`decided`), or why not (`problem`)."""

    approval_id: str
    decided: Decided | None = None
    problem: Problem | None = None


Many = Annotated[list[OneOfMany], Field(min_length=1, max_length=MOST_AT_ONCE)]


@router.post("/decisions")
async def decide_many(here: Here, who: Who, door: Through, body: Many) -> list[Answered]:
    """Answer many requests, at most 50; each is judged by itself, and told in the same order."""
    await here.limits.check("decision", who.user_id)
    turns = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def one(item: OneOfMany) -> Answered:
        async with turns:
            return await _answer(here.intake, who, door, item)

    return list(await asyncio.gather(*(one(item) for item in body)))


async def _answer(intake: Intake, who: Principal, door: str, item: OneOfMany) -> Answered:
    try:
        decided = await intake.submit_decision(
            who,
            door,
            item.approval_id,
            item.verdict,
            item.digest,
            item.decision_id,
            item.comment,
            item.arguments,
            item.remember,
        )
    except AssentError as error:
        return Answered(approval_id=item.approval_id, problem=told(error))
    return Answered(approval_id=item.approval_id, decided=decided)


@router.get("/{approval_id}/decisions")
async def list_decisions(
    here: Here, who: Who, approval_id: PathId, limit: Limit = 50, cursor: Cursor = None
) -> Page[DecisionView]:
    """List what people answered to a request that you see, oldest first, those that did not count as well."""
    async with here.database.reading() as session:
        items, following, total = await decisions.of_approval(session, who, approval_id, limit, cursor)
    return Page(items=items, next=following, total=total)


@router.get("/{approval_id}/seen")
async def list_seen(here: Here, who: Who, approval_id: PathId) -> Page[SeenView]:
    """List who was shown a request that you see."""
    async with here.database.reading() as session:
        items = await seen.of_approval(session, who, approval_id)
    return Page(items=items, next=None, total=len(items))
