"""Groups in SQL: people of a workspace under a name that rules use, made and filled by owners and admins."""

import json
from typing import Any

from sqlalchemy import String, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from core.permissions import Principal, Role
from core.store import people, reconsidering
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.consent import Approval, Policy
from core.tables.identity import Group, GroupMember
from core.tables.people import Membership, User
from core.values import ApprovalState
from core.views import GroupMemberView, GroupView

NAME = r"^[a-z][a-z0-9_-]{0,39}$"
MAX_GROUPS = 200
_OPEN = [state.value for state in ApprovalState if state.is_open]
_NAMING = frozenset({"group", "groups"})


class InUse(Conflict):
    """The group is named by what decides, which would then ask nobody."""

    code, title = "in_use", "In use"


async def create(work: Work, audit: AuditTrail, who: Principal, name: str, title: str) -> GroupView:
    """Make an empty group; its name is what rules call it, and never changes. Raises NotAllowed, Conflict."""
    who.must_be(Role.OWNER, Role.ADMIN)
    await people.lock_people(work.session)
    if await _by_name(work.session, who, name) is not None:
        message = "There is a group of this name already."
        raise Conflict(message)
    if await _count(work.session, who) >= MAX_GROUPS:
        message = f"There are {MAX_GROUPS} groups already."
        raise Conflict(message)
    row = Group(id=new_id("grp"), workspace_id=who.workspace_id, name=name, title=title, created_at=now())
    work.session.add(row)
    await work.session.flush()
    await audit.record(work, who.workspace_id, who.user_id, "group.created", row.id, name=name)
    return _view(row, 0)


async def retitle(work: Work, audit: AuditTrail, who: Principal, group_id: str, title: str) -> GroupView:
    """Give a group another title. Raises NotAllowed, NotFound."""
    who.must_be(Role.OWNER, Role.ADMIN)
    row = await _load(work.session, who, group_id, lock=True)
    row.title = title
    await work.session.flush()
    await audit.record(work, who.workspace_id, who.user_id, "group.titled", row.id)
    return _view(row, await _size(work.session, row.id))


async def delete(work: Work, audit: AuditTrail, who: Principal, group_id: str) -> None:
    """Remove a group and everybody from it. Raises NotAllowed, NotFound, InUse (rules or open requests name it)."""
    who.must_be(Role.OWNER, Role.ADMIN)
    row = await _load(work.session, who, group_id, lock=True)
    await _check_unused(work.session, row)
    for member in (await work.session.execute(_members(row.id))).scalars():
        await work.session.delete(member)
    await work.session.flush()
    await work.session.delete(row)
    await work.session.flush()
    await audit.record(work, who.workspace_id, who.user_id, "group.deleted", row.id, name=row.name)


async def _check_unused(session: AsyncSession, row: Group) -> None:
    newest = select(Policy.body, Policy.version).where(Policy.workspace_id == row.workspace_id)
    found = (await session.execute(newest.order_by(Policy.version.desc()).limit(1))).one_or_none()
    if found is not None and names(found[0], row.name):
        message = f"The rules (version {found[1]}) name the group {row.name}: change them first."
        raise InUse(message)
    waiting = select(func.count()).select_from(Approval)
    waiting = waiting.where(Approval.workspace_id == row.workspace_id, Approval.state.in_(_OPEN))
    waiting = waiting.where(cast(Approval.plan, String).contains(json.dumps(row.id), autoescape=True))
    count = (await session.execute(waiting)).scalar_one()
    if count:
        message = f"{count} open requests for consent ask the group {row.name}: let them be decided first."
        raise InUse(message)


def names(body: Any, name: str) -> bool:
    """Whether a policy's document names a group, wherever in it: as who asks or as whom to ask."""
    if isinstance(body, dict):
        said = (body[key] for key in _NAMING & body.keys())
        return any(name == one or (isinstance(one, list) and name in one) for one in said) or any(
            names(one, name) for one in body.values()
        )
    return isinstance(body, list) and any(names(one, name) for one in body)


async def add(work: Work, audit: AuditTrail, who: Principal, group_id: str, user_id: str) -> GroupView:
    """Put a person of the workspace into a group; twice is once. Raises NotAllowed, NotFound, Invalid (a service)."""
    who.must_be(Role.OWNER, Role.ADMIN)
    row = await _load(work.session, who, group_id, lock=True)
    user, _ = await people.load(work.session, who, user_id)
    if user.kind != "person":
        message = "A service is in no group: it never decides."
        raise Invalid(message)
    if await work.session.get(GroupMember, (row.id, user.id)) is None:
        async with reconsidering.around(work, who.workspace_id, [user.id], ("group", row.id)):
            work.session.add(GroupMember(group_id=row.id, user_id=user.id, added_by=who.user_id, added_at=now()))
        await audit.record(work, who.workspace_id, who.user_id, "group.joined", row.id, user_id=user.id)
    return _view(row, await _size(work.session, row.id))


async def remove(work: Work, audit: AuditTrail, who: Principal, group_id: str, user_id: str) -> GroupView:
    """Take a person out of a group; consents of theirs that were not used yet count no more. Twice is once."""
    who.must_be(Role.OWNER, Role.ADMIN)
    row = await _load(work.session, who, group_id, lock=True)
    member = await work.session.get(GroupMember, (row.id, user_id))
    if member is not None:
        async with reconsidering.around(work, who.workspace_id, [user_id]):
            await work.session.delete(member)
        await audit.record(work, who.workspace_id, who.user_id, "group.left", row.id, user_id=user_id)
    return _view(row, await _size(work.session, row.id))


async def page(
    session: AsyncSession, who: Principal, *, limit: int, cursor: str | None
) -> tuple[list[GroupView], str | None, int]:
    """Give the workspace's groups by name; next cursor (a name); total."""
    statement = select(Group).where(Group.workspace_id == who.workspace_id).order_by(Group.name).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Group.name > cursor)
    rows = list((await session.execute(statement)).scalars())
    shown = [_view(row, await _size(session, row.id)) for row in rows[:limit]]
    return shown, shown[-1].name if len(rows) > limit else None, await _count(session, who)


async def one(session: AsyncSession, who: Principal, group_id: str) -> GroupView:
    """Give one group of the workspace; raises NotFound."""
    return _view(await _load(session, who, group_id), await _size(session, group_id))


async def members(
    session: AsyncSession, who: Principal, group_id: str, *, limit: int, cursor: str | None
) -> tuple[list[GroupMemberView], str | None, int]:
    """Give who is in a group, by user id; next cursor; total. Raises NotFound."""
    await _load(session, who, group_id)
    statement = select(GroupMember, User.name).join(User, User.id == GroupMember.user_id)
    statement = statement.where(GroupMember.group_id == group_id).order_by(GroupMember.user_id).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(GroupMember.user_id > cursor)
    rows = (await session.execute(statement)).all()
    total = select(func.count()).select_from(GroupMember).where(GroupMember.group_id == group_id)
    shown = [
        GroupMemberView(user_id=row.user_id, name=name, added_by=row.added_by, added_at=row.added_at)
        for row, name in rows[:limit]
    ]
    return shown, shown[-1].user_id if len(rows) > limit else None, (await session.execute(total)).scalar_one()


async def _by_name(session: AsyncSession, who: Principal, name: str) -> Group | None:
    statement = select(Group).where(Group.workspace_id == who.workspace_id, Group.name == name)
    return (await session.execute(statement)).scalar_one_or_none()


async def _count(session: AsyncSession, who: Principal) -> int:
    statement = select(func.count()).select_from(Group).where(Group.workspace_id == who.workspace_id)
    return (await session.execute(statement)).scalar_one()


def _members(group_id: str) -> Any:
    return select(GroupMember).where(GroupMember.group_id == group_id)


async def _size(session: AsyncSession, group_id: str) -> int:
    statement = (
        select(func.count())
        .select_from(GroupMember)
        .join(Group, Group.id == GroupMember.group_id)
        .join(User, User.id == GroupMember.user_id)
        .join(
            Membership,
            (Membership.user_id == GroupMember.user_id) & (Membership.workspace_id == Group.workspace_id),
        )
        .where(GroupMember.group_id == group_id, User.disabled_at.is_(None), Membership.disabled_at.is_(None))
    )
    return (await session.execute(statement)).scalar_one()


async def _load(session: AsyncSession, who: Principal, group_id: str, *, lock: bool = False) -> Group:
    statement = select(Group).where(Group.id == group_id, Group.workspace_id == who.workspace_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        message = "There is no such group."
        raise NotFound(message)
    return row


def _view(row: Group, size: int) -> GroupView:
    return GroupView(id=row.id, name=row.name, title=row.title, size=size, created_at=row.created_at)
