"""Delegations in SQL: for a time one person decides in another's place; made, listed, ended, each told to both."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import Field
from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.events import ApprovalUpdated, DelegationChanged
from core.ids import new_id
from core.permissions import Principal, Role
from core.store import approvals, consents, deciders, people, prompting, streams
from core.store.audit import AuditTrail
from core.store.visibility import may_decide
from core.store.work import Work
from core.tables.consent import Approval, Delegation
from core.tables.people import Membership, User
from core.values import ApprovalState, Value
from core.views import DelegationView

MAX_DAYS = 30
MAX_STANDING = 20
_REFRESHED = 200
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
    """Hand over; people who wait for the absent one are from now on shown to the delegate.

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
    work.session.add(row)
    await work.session.flush()
    await _tell(work, row)
    await _refresh(work, row)
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
        open_ones = await _open_for(work.session, row)
        row.revoked_at, row.revoked_by = now(), who.user_id
        await work.session.flush()
        await _tell(work, row)
        await _tell_of(work, row, open_ones)
        facts = {"from": row.from_user_id, "to": row.to_user_id}
        await audit.record(work, who.workspace_id, who.user_id, "delegation.revoked", row.id, **facts)
    return await _view(work.session, row)


async def _refresh(work: Work, row: Delegation) -> None:
    """Show the delegate what already waits for the absent person."""
    await _tell_of(work, row, await _open_for(work.session, row))


async def _open_for(session: AsyncSession, row: Delegation) -> list[str]:
    """Give the ids of what waits for the absent person within what was handed over, in the order of locks."""
    away = await _principal(session, row)
    if away is None:
        return []
    statement = select(Approval).where(may_decide(away), Approval.state == ApprovalState.PENDING)
    statement = statement.order_by(Approval.conversation_id, Approval.id).limit(_REFRESHED)
    rows = (await session.execute(statement)).scalars()
    return [one.id for one in rows if deciders.covers(row, one.action, one.risk)]


async def _tell_of(work: Work, row: Delegation, approval_ids: Sequence[str]) -> None:
    deputy = (await _members(work.session, row)).get(row.to_user_id)
    for approval_id in approval_ids:
        approval = await approvals.lock(work.session, approval_id)
        if not ApprovalState(approval.state).is_open:
            continue
        people = await consents.write_parties(work.session, approval)
        await work.session.flush()
        told = dict.fromkeys([*people, *([deputy] if deputy else [])])
        event = ApprovalUpdated(approval=await approvals.view_of(work.session, approval))
        await approvals.tell(work, approval, event, list(told))
        await prompting.refresh(work, approval)


async def _principal(session: AsyncSession, row: Delegation) -> Principal | None:
    statement = select(Membership, User.name).join(User, User.id == Membership.user_id)
    statement = statement.where(Membership.user_id == row.from_user_id, Membership.workspace_id == row.workspace_id)
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        return None
    member, name = found
    return Principal(
        user_id=row.from_user_id,
        workspace_id=row.workspace_id,
        membership_id=member.id,
        session_id=row.id,
        role=Role(member.role),
        name=name,
    )


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
