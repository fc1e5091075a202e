"""Services in SQL: programs with a place of their own in a workspace, which talk and ask by keys and never decide."""

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.ids import new_id
from core.permissions import Principal, Role, Scope
from core.store import api_tokens, people
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.people import Membership, User
from core.views import ApiTokenView, PersonView

KIND = "service"
MAX_SERVICES = 100
SCOPES = frozenset({Scope.READ, Scope.CHAT, Scope.ASK})
"""What its keys may be for: to decide and to administer takes a person."""
_DOMAIN = "services.invalid"


async def create(work: Work, audit: AuditTrail, who: Principal, name: str, role: Role) -> PersonView:
    """Make a service, without a key yet; owners and admins may. Raises NotAllowed, Invalid (the role), Conflict."""
    _check_manages(who)
    if role not in people.SERVICE_ROLES:
        message = "A service is a member or a viewer: it never decides or administers."
        raise Invalid(message)
    await people.lock_people(work.session)
    if await _count(work.session, who) >= MAX_SERVICES:
        message = f"There are {MAX_SERVICES} services already."
        raise Conflict(message)
    user_id = new_id("usr")
    user = User(id=user_id, email=f"{user_id}@{_DOMAIN}", name=name, kind=KIND, created_at=now())
    work.session.add(user)
    await work.session.flush()
    return await people.join(work, audit, user, who.workspace_id, role, actor=who.user_id)


def _check_manages(who: Principal) -> None:
    who.must_be(Role.OWNER, Role.ADMIN)
    if who.is_program:
        message = "A program's token makes no services and no keys: sign in yourself."
        raise NotAllowed(message)


async def page(
    session: AsyncSession, who: Principal, *, limit: int, cursor: str | None
) -> tuple[list[PersonView], str | None, int]:
    """Give the workspace's services, newest first; next cursor; total. Raises NotAllowed."""
    who.must_be(Role.OWNER, Role.ADMIN)
    statement = select(User, Membership).join(Membership, Membership.user_id == User.id)
    statement = statement.where(Membership.workspace_id == who.workspace_id, User.kind == KIND)
    statement = statement.order_by(Membership.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Membership.id < cursor)
    rows = (await session.execute(statement)).all()
    shown = [people.view_of(user, member) for user, member in rows[:limit]]
    following = rows[limit - 1][1].id if len(rows) > limit else None
    return shown, following, await _count(session, who)


async def disable(work: Work, audit: AuditTrail, who: Principal, user_id: str) -> PersonView:
    """Shut a service out: its keys end at once, and its sockets with them. Raises NotAllowed, NotFound."""
    who.must_be(Role.OWNER, Role.ADMIN)
    await _load(work.session, who, user_id)
    view, _ = await people.disable(work, audit, who, user_id)
    return view


async def new_key(
    work: Work,
    audit: AuditTrail,
    who: Principal,
    user_id: str,
    *,
    name: str,
    days: int | None,
    scopes: Collection[Scope],
) -> tuple[ApiTokenView, str]:
    """Make a key of a service, which is given now and never again; `days` None: it never ends (owners only).

    Raises NotAllowed, NotFound, Invalid (a scope that no service has), Conflict (disabled, too many).
    """
    _check_manages(who)
    view = await _load(work.session, who, user_id)
    if not set(scopes) <= SCOPES:
        message = f"A service's key may have the scopes {', '.join(sorted(SCOPES))}: deciding takes a person."
        raise Invalid(message)
    if view.disabled_at is not None:
        message = "This service is disabled."
        raise Conflict(message)
    return await api_tokens.create_for(work, audit, who, user_id, name=name, days=days, scopes=scopes)


async def keys(
    session: AsyncSession, who: Principal, user_id: str, *, limit: int, cursor: str | None
) -> tuple[list[ApiTokenView], str | None, int]:
    """Give a service's keys, newest first; next cursor; total. Raises NotAllowed, NotFound."""
    who.must_be(Role.OWNER, Role.ADMIN)
    await _load(session, who, user_id)
    return await api_tokens.page(session, who, limit=limit, cursor=cursor, of=user_id)


async def _load(session: AsyncSession, who: Principal, user_id: str) -> PersonView:
    user, member = await people.load(session, who, user_id)
    if user.kind != KIND:
        message = "There is no such service."
        raise NotFound(message)
    return people.view_of(user, member)


async def _count(session: AsyncSession, who: Principal) -> int:
    statement = select(func.count()).select_from(Membership).join(User, User.id == Membership.user_id)
    statement = statement.where(Membership.workspace_id == who.workspace_id, User.kind == KIND)
    return (await session.execute(statement)).scalar_one()
