"""Invitations in SQL: made by an owner or admin, used once by whom they were made for, or withdrawn."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import NotAllowed, NotFound
from core.ids import new_id, new_secret, secret_hash
from core.permissions import Principal, Role
from core.store.audit import AuditTrail
from core.store.people import clean_email
from core.store.work import Work
from core.tables.people import Invitation
from core.views import InvitationView

LIFE = timedelta(days=7)


async def create(work: Work, audit: AuditTrail, who: Principal, email: str, role: Role) -> tuple[InvitationView, str]:
    """Invite an address; the token is given now and never again. Raises NotAllowed."""
    who.must_be(Role.OWNER, Role.ADMIN)
    if role is Role.OWNER and who.role is not Role.OWNER:
        message = "Only an owner may invite an owner."
        raise NotAllowed(message)
    secret = new_secret()
    row = Invitation(
        id=new_id("inv"),
        workspace_id=who.workspace_id,
        email=clean_email(email),
        role=role,
        token_hash=secret_hash(secret),
        invited_by=who.user_id,
        created_at=now(),
        expires_at=now() + LIFE,
    )
    work.session.add(row)
    await work.session.flush()
    await audit.record(work, who.workspace_id, who.user_id, "invitation.created", row.id, role=role)
    return _view(row), secret


async def page(
    session: AsyncSession, who: Principal, *, limit: int, cursor: str | None
) -> tuple[list[InvitationView], str | None, int]:
    """Give the workspace's invitations, newest first; the next cursor; the total. Raises NotAllowed."""
    who.must_be(Role.OWNER, Role.ADMIN)
    of_it = Invitation.workspace_id == who.workspace_id
    statement = select(Invitation).where(of_it).order_by(Invitation.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Invitation.id < cursor)
    rows = list((await session.execute(statement)).scalars())
    total = (await session.execute(select(func.count()).select_from(Invitation).where(of_it))).scalar_one()
    following = rows[limit - 1].id if len(rows) > limit else None
    return [_view(row) for row in rows[:limit]], following, total


async def revoke(work: Work, audit: AuditTrail, who: Principal, invitation_id: str) -> InvitationView:
    """Withdraw an invitation; one that was used stays used. Raises NotFound, NotAllowed."""
    who.must_be(Role.OWNER, Role.ADMIN)
    statement = select(Invitation).where(Invitation.id == invitation_id, Invitation.workspace_id == who.workspace_id)
    row = (await work.session.execute(statement.with_for_update())).scalar_one_or_none()
    if row is None:
        message = "There is no such invitation."
        raise NotFound(message)
    if row.accepted_at is None and row.revoked_at is None:
        row.revoked_at = now()
        await work.session.flush()
        await audit.record(work, who.workspace_id, who.user_id, "invitation.revoked", row.id)
    return _view(row)


async def find(session: AsyncSession, token: str, *, lock: bool = False) -> Invitation:
    """Give the invitation that a token opens. Raises NotFound when it is used, withdrawn, over, or none."""
    statement = select(Invitation).where(
        Invitation.token_hash == secret_hash(token),
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
        Invitation.expires_at > now(),
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        message = "This invitation does not hold (any more): ask for a new one."
        raise NotFound(message)
    return row


def _view(row: Invitation) -> InvitationView:
    return InvitationView.model_validate(row.model_dump(include=set(InvitationView.model_fields)))
