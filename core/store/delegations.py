"""Delegations in SQL: for a time one person decides in another's place; made, listed, ended, each told to both."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pydantic import Field
from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.events import DelegationChanged
from core.ids import new_id
from core.outgoing import plain
from core.permissions import Principal, Role
from core.store import approvals, deciders, people, prompting, reconsidering, streams
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.consent import Delegation
from core.tables.people import Membership, User
from core.text import reveal
from core.values import Value
from core.views import DelegationView

MAX_DAYS = 30
MAX_STANDING = 20
_SLACK = timedelta(minutes=5)


class Wish(Value):
    """What somebody hands over: to whom, in whose place, until when, within which risks and actions.

    `starts_at` None: at once. `risks` or `actions` None: all of them.
    """

    from_user_id: str
    to_user_id: str
    ends_at: datetime
    starts_at: datetime | None = None
    risks: tuple[str, ...] | None = Field(None, min_length=1)
    actions: tuple[str, ...] | None = Field(None, min_length=1)
    note: str | None = None


async def create(work: Work, audit: AuditTrail, who: Principal, wish: Wish) -> DelegationView:
    """Hand over; what waits for the absent one is shown to the delegate from now on, or from when it begins on.

    Who did not hand over themselves is told on their chats that somebody did.
    Raises NotAllowed, NotFound for people who are not here, Invalid, Conflict when there are too many.
    """
    _check_hand(who, wish)
    starts_at = wish.starts_at or now()
    _check_times(starts_at, wish.ends_at)
    await _check_people(work.session, who, wish)
    await _check_count(work.session, who, wish)
    row = Delegation(
        id=new_id("dlg"),
        workspace_id=who.workspace_id,
        created_by=who.user_id,
        created_at=now(),
        **wish.model_dump(exclude={"starts_at", "risks", "actions"}),
        starts_at=starts_at,
        risks=list(wish.risks) if wish.risks else None,
        actions=list(wish.actions) if wish.actions else None,
    )
    async with reconsidering.around(work, who.workspace_id, [row.from_user_id]):
        work.session.add(row)
        await work.session.flush()
        await _tell(work, row)
    if row.from_user_id != who.user_id:
        await _tell_absent(work, who, row)
    facts = {"from": row.from_user_id, "to": row.to_user_id, "risks": row.risks, "actions": row.actions}
    facts |= {"starts_at": row.starts_at.isoformat(), "ends_at": row.ends_at.isoformat()}
    await audit.record(work, who.workspace_id, who.user_id, "delegation.created", row.id, **facts)
    return await _view(work.session, row)


def _check_hand(who: Principal, wish: Wish) -> None:
    if who.is_program:
        message = "A program's token hands nothing over: sign in yourself."
        raise NotAllowed(message)
    if wish.from_user_id != who.user_id and who.role not in {Role.OWNER, Role.ADMIN}:
        message = "Only an owner or admin may hand over what others decide."
        raise NotAllowed(message)


def _check_times(starts_at: datetime, ends_at: datetime) -> None:
    if starts_at < now() - _SLACK:
        message = "It cannot begin in the past."
        raise Invalid(message)
    if ends_at <= max(starts_at, now()):
        message = "It has to end after it begins."
        raise Invalid(message)
    if ends_at > now() + timedelta(days=MAX_DAYS):
        message = f"It lasts at most {MAX_DAYS} days."
        raise Invalid(message)


async def _check_people(session: AsyncSession, who: Principal, wish: Wish) -> None:
    away = await deciders.standing_of(session, who.workspace_id, wish.from_user_id)
    deputy = await deciders.standing_of(session, who.workspace_id, wish.to_user_id)
    if away is None or deputy is None:
        message = "There is no such person here."
        raise NotFound(message)
    if away.user_id != who.user_id:
        people.check_rank(who, Role(away.role))
    if away.person_id == deputy.person_id:
        message = "Nobody decides in their own place, by whatever account."
        raise Invalid(message)
    if deputy.role == Role.VIEWER:
        message = "A viewer decides nothing, also in nobody's place."
        raise Invalid(message)


async def _check_count(session: AsyncSession, who: Principal, wish: Wish) -> None:
    standing = select(func.count()).select_from(Delegation).where(Delegation.workspace_id == who.workspace_id)
    standing = standing.where(Delegation.from_user_id == wish.from_user_id, Delegation.revoked_at.is_(None))
    if (await session.execute(standing.where(Delegation.ends_at > now()))).scalar_one() >= MAX_STANDING:
        message = f"There are {MAX_STANDING} such delegations already: revoke one."
        raise Conflict(message)


async def page(
    session: AsyncSession, who: Principal, *, everybody: bool, limit: int, cursor: str | None
) -> tuple[list[DelegationView], str | None, int]:
    """Give the delegations from and to this person, newest first; `everybody`'s for owners and admins (NotAllowed)."""
    if everybody:
        who.must_be(Role.OWNER, Role.ADMIN)
    shown = Delegation.workspace_id == who.workspace_id
    if not everybody:
        shown = and_(shown, or_(Delegation.from_user_id == who.user_id, Delegation.to_user_id == who.user_id))
    statement = select(Delegation).where(shown).order_by(Delegation.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Delegation.id < cursor)
    rows: Sequence[Delegation] = (await session.execute(statement)).scalars().all()
    total = (await session.execute(select(func.count()).select_from(Delegation).where(shown))).scalar_one()
    views = [await _view(session, row) for row in rows[:limit]]
    return views, rows[limit - 1].id if len(rows) > limit else None, total


async def revoke(work: Work, audit: AuditTrail, who: Principal, delegation_id: str) -> DelegationView:
    """End one at once: by either of the two, an owner or admin. What the delegate said and nothing used yet falls.

    Twice is once. Raises NotFound, NotAllowed for a program.
    """
    if who.is_program:
        message = "A program's token ends no delegation: sign in yourself."
        raise NotAllowed(message)
    statement = select(Delegation).where(Delegation.id == delegation_id, Delegation.workspace_id == who.workspace_id)
    row = (await work.session.execute(statement.with_for_update())).scalar_one_or_none()
    theirs = row is not None and who.user_id in {row.from_user_id, row.to_user_id, row.created_by}
    if row is None or not (theirs or who.role in {Role.OWNER, Role.ADMIN}):
        message = "There is no such delegation."
        raise NotFound(message)
    if row.revoked_at is None:
        async with reconsidering.around(work, who.workspace_id, [row.from_user_id]):
            row.revoked_at, row.revoked_by = now(), who.user_id
            await work.session.flush()
            await _tell(work, row)
        facts = {"from": row.from_user_id, "to": row.to_user_id}
        await audit.record(work, who.workspace_id, who.user_id, "delegation.revoked", row.id, **facts)
    return await _view(work.session, row)


async def turned(
    session: AsyncSession, since: datetime, until: datetime, *, cursor: str | None = None, limit: int = 50
) -> list[Delegation]:
    """Give those that began or ended by time alone after `since` and until `until`, by id, after `cursor`."""
    began = and_(Delegation.starts_at > since, Delegation.starts_at <= until)
    ended = and_(Delegation.ends_at > since, Delegation.ends_at <= until)
    begins_later = Delegation.starts_at > Delegation.created_at
    statement = select(Delegation).where(Delegation.revoked_at.is_(None), or_(and_(began, begins_later), ended))
    if cursor is not None:
        statement = statement.where(Delegation.id > cursor)
    return list((await session.execute(statement.order_by(Delegation.id).limit(limit))).scalars())


async def _tell_absent(work: Work, who: Principal, row: Delegation) -> None:
    """Tell somebody on their chats that another handed over what they decide."""
    name = await approvals.name_of(work.session, row.to_user_id)
    until = f"{row.ends_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    text = (
        f"{reveal(who.name)} lets {reveal(name or '')} decide in your place until {until}. You can end it at any time."
    )
    await prompting.notify(work, row.workspace_id, [row.from_user_id], f"delegation:{row.id}", plain(text))


async def _members(session: AsyncSession, row: Delegation) -> dict[str, str]:
    statement = select(Membership.user_id, Membership.id).where(
        Membership.workspace_id == row.workspace_id, Membership.user_id.in_([row.from_user_id, row.to_user_id])
    )
    return {row[0]: row[1] for row in await session.execute(statement)}


async def _tell(work: Work, row: Delegation) -> None:
    event = DelegationChanged(delegation=await _view(work.session, row))
    for membership_id in sorted((await _members(work.session, row)).values()):
        await streams.notify(work, membership_id, event)


async def _view(session: AsyncSession, row: Delegation) -> DelegationView:
    names = select(User.id, User.name).where(User.id.in_([row.from_user_id, row.to_user_id]))
    name_of = {row[0]: row[1] for row in await session.execute(names)}
    known = row.model_dump(include=set(DelegationView.model_fields))
    told = {"from_name": name_of.get(row.from_user_id, ""), "to_name": name_of.get(row.to_user_id, "")}
    return DelegationView.model_validate({**known, **told})
