"""Groups of people, which rules may ask."""

from typing import Annotated

from fastapi import APIRouter, status
from pydantic import Field, StringConstraints

from api.rest.context import Here, PathId, Proved, Who
from api.rest.pages import Cursor, Limit, Page
from core.ids import Id
from core.store import groups
from core.store.work import change
from core.text import SafeStr
from core.values import Value
from core.views import GroupMemberView, GroupView

router = APIRouter(prefix="/groups", tags=["groups"])

Title = Annotated[SafeStr, StringConstraints(strip_whitespace=True, max_length=100)]


class NewGroup(Value):
    """What rules call it (that never changes), and what people read."""

    name: str = Field(pattern=groups.NAME, examples=["finance"])
    title: Title = Field("", examples=["The people who pay"])


class GroupChange(Value):
    """What may be changed of a group."""

    title: Title = Field(examples=["The people who pay"])


class NewMember(Value):
    """Whom to put into a group."""

    user_id: Id = Field(examples=["usr_1"])


@router.get("")
async def list_groups(here: Here, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Page[GroupView]:
    """List the workspace's groups by name."""
    async with here.database.reading() as session:
        items, following, total = await groups.page(session, who, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_group(here: Here, who: Who, body: NewGroup) -> GroupView:
    """Make a group; owners and admins may."""
    async with change(here.database, here.rooms) as work:
        return await groups.create(work, here.audit, who, body.name, body.title)


@router.get("/{group_id}")
async def get_group(here: Here, who: Who, group_id: PathId) -> GroupView:
    """Show one group."""
    async with here.database.reading() as session:
        return await groups.one(session, who, group_id)


@router.patch("/{group_id}")
async def change_group(here: Here, who: Who, group_id: PathId, body: GroupChange) -> GroupView:
    """Give a group another title; owners and admins may."""
    async with change(here.database, here.rooms) as work:
        return await groups.retitle(work, here.audit, who, group_id, body.title)


@router.delete("/{group_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_group(here: Here, who: Who, group_id: PathId) -> None:
    """Remove a group; refused while the rules or an open request for consent name it."""
    async with change(here.database, here.rooms) as work:
        await groups.delete(work, here.audit, who, group_id)


@router.get("/{group_id}/members")
async def list_members(
    here: Here, who: Who, group_id: PathId, limit: Limit = 50, cursor: Cursor = None
) -> Page[GroupMemberView]:
    """List who is in a group."""
    async with here.database.reading() as session:
        items, following, total = await groups.members(session, who, group_id, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("/{group_id}/members")
async def add_member(here: Here, who: Proved, group_id: PathId, body: NewMember) -> GroupView:
    """Put a person into a group; owners and admins may."""
    async with change(here.database, here.rooms) as work:
        return await groups.add(work, here.audit, who, group_id, body.user_id)


@router.delete("/{group_id}/members/{user_id}")
async def remove_member(here: Here, who: Who, group_id: PathId, user_id: PathId) -> GroupView:
    """Take a person out of a group; what they consented to and was not done yet is asked again."""
    async with change(here.database, here.rooms) as work:
        return await groups.remove(work, here.audit, who, group_id, user_id)
