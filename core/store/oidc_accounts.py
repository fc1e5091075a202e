"""People's accounts with OpenID providers in SQL: found by issuer and subject, which never change."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict, NotFound
from core.ids import new_id
from core.permissions import Principal
from core.store import factors
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.identity import OidcAccount
from core.tables.people import Invitation
from core.views import OidcAccountView

MOST = 20


async def of_subject(session: AsyncSession, issuer: str, subject: str) -> OidcAccount | None:
    """Give the account of a provider's subject."""
    statement = select(OidcAccount).where(OidcAccount.issuer == issuer, OidcAccount.subject == subject)
    return (await session.execute(statement)).scalar_one_or_none()


async def link(
    work: Work, audit: AuditTrail, user_id: str, workspace_id: str, issuer: str, subject: str, email: str | None
) -> OidcAccountView:
    """Tie a subject to a person; twice is once. Raises Conflict when it is somebody else's, or there are too many."""
    found = await of_subject(work.session, issuer, subject)
    if found is not None:
        if found.user_id == user_id:
            return view_of(found)
        message = "This account is linked to somebody else here."
        raise Conflict(message)
    if await count(work.session, user_id) >= MOST:
        message = f"You have {MOST} linked accounts already: unlink one."
        raise Conflict(message)
    row = OidcAccount(id=new_id("oac"), user_id=user_id, issuer=issuer, subject=subject, email=email, linked_at=now())
    work.session.add(row)
    await work.session.flush()
    await audit.record(work, workspace_id, user_id, "oidc.linked", row.id, issuer=issuer)
    return view_of(row)


async def unlink(work: Work, audit: AuditTrail, who: Principal, account_id: str) -> None:
    """Untie one's own account. Raises NotFound; Conflict when no other way to sign in would be left."""
    statement = select(OidcAccount).where(OidcAccount.id == account_id, OidcAccount.user_id == who.user_id)
    row = (await work.session.execute(statement.with_for_update())).scalar_one_or_none()
    if row is None:
        message = "You have no such linked account."
        raise NotFound(message)
    await work.session.delete(row)
    await work.session.flush()
    await factors.check_way_in(work.session, who.user_id)
    await audit.record(work, who.workspace_id, who.user_id, "oidc.unlinked", account_id, issuer=row.issuer)


async def count(session: AsyncSession, user_id: str) -> int:
    """Count a person's linked accounts."""
    statement = select(func.count()).select_from(OidcAccount).where(OidcAccount.user_id == user_id)
    return (await session.execute(statement)).scalar_one()


async def page(
    session: AsyncSession, who: Principal, *, limit: int, cursor: str | None
) -> tuple[list[OidcAccountView], str | None, int]:
    """Give one's own linked accounts, newest first; the next cursor; the total."""
    mine = OidcAccount.user_id == who.user_id
    statement = select(OidcAccount).where(mine).order_by(OidcAccount.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(OidcAccount.id < cursor)
    rows = list((await session.execute(statement)).scalars())
    following = rows[limit - 1].id if len(rows) > limit else None
    return [view_of(row) for row in rows[:limit]], following, await count(session, who.user_id)


async def invitation_for(session: AsyncSession, email: str) -> Invitation | None:
    """Give the oldest open invitation of an address that a provider vouches for, locked."""
    statement = (
        select(Invitation)
        .where(
            Invitation.email == email,
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
            Invitation.expires_at > now(),
        )
        .order_by(Invitation.created_at, Invitation.id)
        .limit(1)
        .with_for_update()
    )
    return (await session.execute(statement)).scalar_one_or_none()


def view_of(row: OidcAccount) -> OidcAccountView:
    """Show a linked account."""
    return OidcAccountView.model_validate(row.model_dump(include=set(OidcAccountView.model_fields)))
