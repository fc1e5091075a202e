"""Facts: what is remembered of you, where it is from; written, edited and forgotten. Nobody else sees them."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from pydantic import Field

from api.rest.context import Here, PathId, Who
from api.rest.pages import Cursor, Limit, Page
from core.store import facts
from core.store.work import change
from core.text import SafeStr
from core.values import Value
from core.views import FactView

router = APIRouter(prefix="/facts", tags=["memory"])


class FactText(Value):
    """What is to be remembered: at most 1,000 characters, no passwords, keys or card numbers."""

    text: SafeStr = Field(examples=["I am allergic to nuts."])


@router.get("")
async def list_facts(
    here: Here,
    who: Who,
    limit: Limit = 50,
    cursor: Cursor = None,
    q: Annotated[SafeStr | None, Query(max_length=200, description="Only those that contain this.")] = None,
) -> Page[FactView]:
    """List what is remembered of you, newest first."""
    async with here.database.reading() as session:
        items, following, total = await facts.page(session, who, limit=limit, cursor=cursor, q=q)
    return Page(items=items, next=following, total=total)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses={200: {"model": FactView, "description": "This is remembered already."}},
)
async def add_fact(here: Here, who: Who, body: FactText, response: Response) -> FactView:
    """Have something remembered of you. What says the same is one fact."""
    async with change(here.database, here.rooms) as work:
        fact, is_new = await facts.add(work, facts.written_by(who), body.text)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return fact


@router.get("/{fact_id}")
async def get_fact(here: Here, who: Who, fact_id: PathId) -> FactView:
    """Show one fact."""
    async with here.database.reading() as session:
        return await facts.one(session, who, fact_id)


@router.patch("/{fact_id}")
async def edit_fact(here: Here, who: Who, fact_id: PathId, body: FactText) -> FactView:
    """Put another text in its place."""
    async with change(here.database, here.rooms) as work:
        return await facts.edit(work, who, fact_id, body.text)


@router.delete("/{fact_id}", status_code=status.HTTP_204_NO_CONTENT)
async def forget_fact(here: Here, who: Who, fact_id: PathId) -> None:
    """Forget it for good, and never recall again the talk in which it was said."""
    async with change(here.database, here.rooms) as work:
        await facts.forget(work, who, fact_id)
