"""The people of the workspace."""

from typing import Self

from fastapi import APIRouter
from pydantic import Field, model_validator

from api.rest.context import Here, PathId, Proved, Who
from api.rest.pages import Cursor, Limit, Page
from core.ids import Id
from core.permissions import Role
from core.store import managers, people, persons
from core.store.work import change
from core.values import Value
from core.views import PersonView

router = APIRouter(prefix="/users", tags=["people"])


class Change(Value):
    """What may be changed of a person; what is left out stays. `manager_id` null: they report to nobody."""

    role: Role | None = Field(None, examples=["approver"])
    manager_id: Id | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.role is None and "manager_id" not in self.model_fields_set:
            message = "say what to change: role, manager_id"
            raise ValueError(message)
        return self


class SamePerson(Value):
    """Which other user it is."""

    user_id: Id = Field(examples=["usr_1"])


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
async def change_user(here: Here, who: Proved, user_id: PathId, body: Change) -> PersonView:
    """Give a person another role, which holds at once, or another manager; owners and admins may."""
    async with change(here.database, here.rooms) as work:
        if "manager_id" in body.model_fields_set:
            view = await managers.set_manager(work, here.audit, who, user_id, body.manager_id)
        if body.role is not None:
            view = await people.change_role(work, here.audit, who, user_id, body.role)
    return view


@router.post("/{user_id}/disable")
async def disable_user(here: Here, who: Who, user_id: PathId) -> PersonView:
    """Shut a person out; every session and socket of theirs ends."""
    async with change(here.database, here.rooms) as work:
        person, _ = await people.disable(work, here.audit, who, user_id)
    return person


@router.post("/{user_id}/enable")
async def enable_user(here: Here, who: Proved, user_id: PathId) -> PersonView:
    """Let a person in again."""
    async with change(here.database, here.rooms) as work:
        return await people.enable(work, here.audit, who, user_id)


@router.post("/{user_id}/same-person-as")
async def state_same_person(here: Here, who: Proved, user_id: PathId, body: SamePerson) -> PersonView:
    """State that two users are one person, whom a quorum counts once; owners and admins may, of their workspace."""
    async with change(here.database, here.rooms) as work:
        return await persons.state_same(work, here.audit, who, user_id, body.user_id)


@router.delete("/{user_id}/same-person-as")
async def take_back_same_person(here: Here, who: Proved, user_id: PathId) -> PersonView:
    """Take that back."""
    async with change(here.database, here.rooms) as work:
        return await persons.take_back(work, here.audit, who, user_id)
