"""People and their memberships in SQL: who is in a workspace, as what, and who is behind a session."""

from collections.abc import Sequence

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import Select

from core.clock import now
from core.errors import Conflict, NotAllowed, NotFound, NotSignedIn
from core.ids import new_id
from core.permissions import Principal, Role
from core.store import reconsidering
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.people import ApiToken, Membership, Session, User, Workspace
from core.views import PersonView

_LOCK = 7_214_502  # names our lock among PostgreSQL's advisory locks
_FIRST_WORKSPACE = "Home"
SERVICE_ROLES = frozenset({Role.MEMBER, Role.VIEWER})
CONSOLE = "console"
"""The actor in the audit log when somebody with access to the machine did it."""


def clean_email(email: str) -> str:
    """Give the form in which an address is kept and compared."""
    return email.strip().lower()


async def has_people(session: AsyncSession) -> bool:
    """Whether anybody is here, the first of whom is an owner; until then the first visitor may be, with the code."""
    return (await session.execute(select(User.id).limit(1))).first() is not None


async def lock_people(session: AsyncSession) -> None:
    """Let nobody else add people until this transaction ends: two first owners must not happen."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text(f"select pg_advisory_xact_lock({_LOCK})"))


async def add_owner(
    work: Work, audit: AuditTrail, *, email: str, name: str, password_hash: str, workspace: str
) -> PersonView:
    """Add the first person, and the workspace. Raises Conflict when anybody is here."""
    await lock_people(work.session)
    if await has_people(work.session):
        message = "This server has an owner already: ask them for an invitation."
        raise Conflict(message)
    return await create_person(
        work, audit, email=email, name=name, password_hash=password_hash, role=Role.OWNER, workspace=workspace
    )


async def create_person(
    work: Work,
    audit: AuditTrail,
    *,
    email: str,
    name: str,
    password_hash: str | None,
    role: Role,
    workspace: str = _FIRST_WORKSPACE,
    workspace_id: str | None = None,
    actor: str = CONSOLE,
) -> PersonView:
    """Add a person to a workspace: the named one, else the oldest, which is made when there is none.

    Raises Conflict when the address is taken, NotFound when there is no such workspace.
    """
    await lock_people(work.session)
    if await user_of(work.session, email) is not None:
        message = "Somebody with this e-mail address is here already."
        raise Conflict(message)
    home = await _workspace(work.session, workspace_id, workspace)
    user = User(id=new_id("usr"), email=clean_email(email), name=name, password_hash=password_hash, created_at=now())
    work.session.add(user)
    await work.session.flush()
    return await join(work, audit, user, home.id, role, actor=actor)


async def join(work: Work, audit: AuditTrail, user: User, workspace_id: str, role: Role, *, actor: str) -> PersonView:
    """Make a user a member. Raises Conflict when they are one."""
    if await _membership(work.session, workspace_id, user.id) is not None:
        message = "This person is a member already."
        raise Conflict(message)
    member = Membership(
        id=new_id("mbr"),
        workspace_id=workspace_id,
        user_id=user.id,
        role=role,
        epoch=new_id("ep"),
        created_at=now(),
    )
    async with reconsidering.around(work, workspace_id, [user.id], ("role", role)):
        work.session.add(member)
    await audit.record(work, workspace_id, actor, "person.added", user.id, role=role)
    return view_of(user, member)


async def _workspace(session: AsyncSession, workspace_id: str | None, name: str) -> Workspace:
    statement = select(Workspace).order_by(Workspace.created_at, Workspace.id).limit(1)
    if workspace_id is not None:
        statement = statement.where(Workspace.id == workspace_id)
    found = (await session.execute(statement)).scalar_one_or_none()
    if found is not None:
        return found
    if workspace_id is not None:
        message = "There is no such workspace."
        raise NotFound(message)
    made = Workspace(id=new_id("wks"), name=name, created_at=now())
    session.add(made)
    await session.flush()
    return made


async def user_of(session: AsyncSession, email: str) -> User | None:
    """Give the user with this address, for sign-in."""
    return (await session.execute(select(User).where(User.email == clean_email(email)))).scalar_one_or_none()


async def first_membership(session: AsyncSession, user_id: str, workspace_id: str | None) -> Membership | None:
    """Give the user's membership in that workspace, or the oldest; only one that is not disabled."""
    statement = (
        select(Membership)
        .where(Membership.user_id == user_id, Membership.disabled_at.is_(None))
        .order_by(Membership.created_at, Membership.id)
        .limit(1)
    )
    if workspace_id is not None:
        statement = statement.where(Membership.workspace_id == workspace_id)
    return (await session.execute(statement)).scalar_one_or_none()


async def principal_of(session: AsyncSession, session_id: str, user_id: str, workspace_id: str) -> Principal:
    """Give the person behind a session, with the role of this moment. Raises NotSignedIn when it is over."""
    statement = (
        select(Membership.id, Membership.role, User.name)
        .join(User, User.id == Membership.user_id)
        .join(Session, (Session.user_id == User.id) & (Session.workspace_id == Membership.workspace_id))
        .where(
            Session.id == session_id,
            User.id == user_id,
            Membership.workspace_id == workspace_id,
            Session.revoked_at.is_(None),
            User.disabled_at.is_(None),
            Membership.disabled_at.is_(None),
        )
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        message = "This session is over: sign in again."
        raise NotSignedIn(message)
    return Principal(
        user_id=user_id,
        workspace_id=workspace_id,
        membership_id=row[0],
        session_id=session_id,
        role=Role(row[1]),
        name=row[2],
    )


async def page(
    session: AsyncSession, who: Principal, *, limit: int, cursor: str | None
) -> tuple[list[PersonView], str | None, int]:
    """Give the people of the workspace, newest first; the next cursor; the total."""
    statement = _of_workspace(who).order_by(Membership.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Membership.id < cursor)
    rows = (await session.execute(statement)).all()
    counted = select(func.count()).select_from(Membership).where(Membership.workspace_id == who.workspace_id)
    total = (await session.execute(counted)).scalar_one()
    following = rows[limit - 1][1].id if len(rows) > limit else None
    return [view_of(user, member) for user, member in rows[:limit]], following, total


async def one(session: AsyncSession, who: Principal, user_id: str) -> PersonView:
    """Give one person of the workspace; raises NotFound."""
    user, member = await load(session, who, user_id)
    return view_of(user, member)


async def change_role(work: Work, audit: AuditTrail, who: Principal, user_id: str, role: Role) -> PersonView:
    """Give a person another role; it holds from their next request on. Raises NotFound, NotAllowed, Conflict."""
    who.must_be(Role.OWNER, Role.ADMIN)
    async with reconsidering.around(work, who.workspace_id, [user_id], ("role", role)):
        user, member = await load(work.session, who, user_id, lock=True)
        check_rank(who, Role(member.role), role)
        if user.kind != "person" and role not in SERVICE_ROLES:
            message = "A service is a member or a viewer: it never decides or administers."
            raise NotAllowed(message)
        if member.role == Role.OWNER and role is not Role.OWNER:
            await _check_another_owner(work.session, who.workspace_id, member.id)
        member.role = role
    await audit.record(work, who.workspace_id, who.user_id, "person.role", user_id, role=role)
    return view_of(user, member)


async def disable(work: Work, audit: AuditTrail, who: Principal, user_id: str) -> tuple[PersonView, Sequence[str]]:
    """Shut a person out of the workspace; gives the sessions that ended. Raises NotFound, NotAllowed, Conflict."""
    who.must_be(Role.OWNER, Role.ADMIN)
    async with reconsidering.around(work, who.workspace_id, [user_id]):
        user, member = await load(work.session, who, user_id, lock=True)
        check_rank(who, Role(member.role))
        if member.role == Role.OWNER:
            await _check_another_owner(work.session, who.workspace_id, member.id)
        member.disabled_at = member.disabled_at or now()
        ended = await _end_sessions(work.session, who.workspace_id, user_id)
    await audit.record(work, who.workspace_id, who.user_id, "person.disabled", user_id)
    return view_of(user, member), ended


async def enable(work: Work, audit: AuditTrail, who: Principal, user_id: str) -> PersonView:
    """Let a person in again. Raises NotFound, NotAllowed."""
    who.must_be(Role.OWNER, Role.ADMIN)
    async with reconsidering.around(work, who.workspace_id, [user_id]):
        user, member = await load(work.session, who, user_id, lock=True)
        check_rank(who, Role(member.role))
        member.disabled_at = None
    await audit.record(work, who.workspace_id, who.user_id, "person.enabled", user_id)
    return view_of(user, member)


async def _end_sessions(session: AsyncSession, workspace_id: str, user_id: str) -> Sequence[str]:
    """End all sign-ins and programs' tokens of a person in a workspace; gives the sign-ins."""
    ended = update(ApiToken).where(ApiToken.user_id == user_id, ApiToken.workspace_id == workspace_id)
    await session.execute(ended.where(ApiToken.revoked_at.is_(None)).values(revoked_at=now()))
    statement = (
        update(Session)
        .where(Session.user_id == user_id, Session.workspace_id == workspace_id, Session.revoked_at.is_(None))
        .values(revoked_at=now())
        .returning(Session.id)
    )
    return (await session.execute(statement)).scalars().all()


def check_rank(who: Principal, *roles: Role) -> None:
    """An admin manages everybody but owners, and makes none."""
    who.must_be(Role.OWNER, Role.ADMIN)
    if Role.OWNER in roles and who.role is not Role.OWNER:
        message = "Only an owner may do this to an owner, or make one."
        raise NotAllowed(message)


async def _check_another_owner(session: AsyncSession, workspace_id: str, membership_id: str) -> None:
    """Lock every owner and see that one is left, so that two cannot leave at once."""
    await lock_people(session)
    statement = select(Membership.id).where(
        Membership.workspace_id == workspace_id, Membership.role == Role.OWNER, Membership.disabled_at.is_(None)
    )
    if set((await session.execute(statement)).scalars()) <= {membership_id}:
        message = "A workspace needs an owner: name another one first."
        raise Conflict(message)


async def _membership(session: AsyncSession, workspace_id: str, user_id: str) -> Membership | None:
    statement = select(Membership).where(Membership.workspace_id == workspace_id, Membership.user_id == user_id)
    return (await session.execute(statement)).scalar_one_or_none()


def _of_workspace(who: Principal) -> Select[User, Membership]:
    return (
        select(User, Membership)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == who.workspace_id)
    )


async def load(session: AsyncSession, who: Principal, user_id: str, *, lock: bool = False) -> tuple[User, Membership]:
    """Give a user and their membership in the workspace of who asks; raises NotFound."""
    statement = _of_workspace(who).where(User.id == user_id)
    if lock:
        statement = statement.with_for_update(of=Membership).execution_options(populate_existing=True)
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        message = "There is no such person here."
        raise NotFound(message)
    return row[0], row[1]


def view_of(user: User, member: Membership) -> PersonView:
    """Give what the members of the workspace see of a person or a service."""
    return PersonView(
        id=user.id,
        email=user.email,
        name=user.name,
        role=member.role,
        kind=user.kind,
        manager_id=member.manager_id,
        same_person_as=member.person_id,
        workspace_id=member.workspace_id,
        created_at=member.created_at,
        disabled_at=member.disabled_at or user.disabled_at,
    )
