"""Who asks for a call, in SQL, as policy looks at them: their role, groups and address, and the workspace's mode."""

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.tables.identity import Group, GroupMember
from core.tables.people import Membership, User, Workspace
from core.values import OperationMode, Value


class Requester(Value):
    """Somebody, or a program, who asks; `groups` by name, `mode` of the workspace now."""

    user_id: str
    role: str
    email: str
    groups: tuple[str, ...]
    mode: OperationMode


async def requester_of(session: AsyncSession, workspace_id: str, user_id: str) -> Requester | None:
    """Give who asks as they stand now; None when they are not here any more."""
    statement = (
        select(Membership.role, User.email, Workspace.operation_mode)
        .join(User, User.id == Membership.user_id)
        .join(Workspace, Workspace.id == Membership.workspace_id)
        .where(Membership.workspace_id == workspace_id, Membership.user_id == user_id)
        .where(User.disabled_at.is_(None), Membership.disabled_at.is_(None))
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        return None
    groups = select(Group.name).join(GroupMember, GroupMember.group_id == Group.id)
    groups = groups.where(GroupMember.user_id == user_id, Group.workspace_id == workspace_id).order_by(Group.name)
    names = tuple((await session.execute(groups)).scalars())
    return Requester(user_id=user_id, role=row[0], email=row[1], groups=names, mode=OperationMode(row[2]))


async def id_of(session: AsyncSession, workspace_id: str, name: str) -> str | None:
    """Give the id of who is called so in a workspace, by id or e-mail address; None when nobody is."""
    statement = (
        select(User.id)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == workspace_id, or_(User.id == name, User.email == name.strip().lower()))
    )
    return (await session.execute(statement)).scalars().first()
