"""The people of the workspace."""

from fastapi import APIRouter
from pydantic import Field

from api.rest.context import Here, PathId, Who
from api.rest.pages import Cursor, Limit, Page
from core.permissions import Role
from core.store import people
from core.store.work import change
from core.values import Value
from core.views import PersonView

router = APIRouter(prefix="/users", tags=["people"])


class Change(Value):
    """What may be changed of a person."""

    role: Role = Field(examples=["approver"])


@router.get("")
async def list_users(here: Here, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Page[PersonView]:
    """List everybody in the workspace, newest first."""
    async with here.database.reading() as session:
        items, following, total = await people.page(session, who, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.get("/{user_id}")
async def get_user(here: Here, who: Who, user_id: PathId) -> PersonView:
    """Show one person."""
    async with here.database.reading() as session:
        return await people.one(session, who, user_id)


@router.patch("/{user_id}")
async def change_user(here: Here, who: Who, user_id: PathId, body: Change) -> PersonView:
    """Give a person another role; owners and admins may, and it holds at once."""
    async with change(here.database, here.rooms) as work:
        return await people.change_role(work, here.audit, who, user_id, body.role)


@router.post("/{user_id}/disable")
async def disable_user(here: Here, who: Who, user_id: PathId) -> PersonView:
    """Shut a person out; every session and socket of theirs ends."""
    async with change(here.database, here.rooms) as work:
        person, _ = await people.disable(work, here.audit, who, user_id)
    return person


@router.post("/{user_id}/enable")
async def enable_user(here: Here, who: Who, user_id: PathId) -> PersonView:
    """Let a person in again."""
    async with change(here.database, here.rooms) as work:
        return await people.enable(work, here.audit, who, user_id)
