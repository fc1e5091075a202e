"""What a person can prove with who they are, in SQL."""

from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.identity import OidcAccount, Passkey, RecoveryCode, Totp
from core.tables.people import Membership, Session, User
from core.views import FactorsView


async def of_user(session: AsyncSession, user_id: str) -> FactorsView:
    """Give what a person has."""
    statement = select(
        select(User.id).where(User.id == user_id, User.password_hash.is_not(None)).exists(),
        select(Totp.user_id).where(Totp.user_id == user_id, Totp.confirmed_at.is_not(None)).exists(),
        _count(Passkey, user_id),
        _count(RecoveryCode, user_id, RecoveryCode.used_at.is_(None)),
        _count(OidcAccount, user_id),
    )
    password, totp, keys, codes, oidc = (await session.execute(statement)).one()
    return FactorsView(password=password, totp=totp, passkeys=keys, recovery_codes=codes if totp else 0, oidc=oidc)


def _count(table: Any, user_id: str, *where: Any) -> Any:
    return select(func.count()).select_from(table).where(table.user_id == user_id, *where).scalar_subquery()


async def reset(work: Work, audit: AuditTrail, user_id: str, actor: str) -> None:
    """Forget a person's authenticator app, recovery codes and passkeys, and end their sign-ins, everywhere.

    For whoever runs the machine, when somebody has lost them all; the password stays.
    """
    for table in (RecoveryCode, Totp, Passkey):
        await work.session.execute(delete(table).where(table.user_id == user_id))
    ended = update(Session).where(Session.user_id == user_id, Session.revoked_at.is_(None)).values(revoked_at=now())
    await work.session.execute(ended)
    homes = select(Membership.workspace_id).where(Membership.user_id == user_id).order_by(Membership.workspace_id)
    for workspace_id in (await work.session.execute(homes)).scalars().all():
        await audit.record(work, workspace_id, actor, "factors.reset", user_id)


async def check_way_in(session: AsyncSession, user_id: str) -> None:
    """Raise Conflict when a person has no way left to sign in."""
    has = await of_user(session, user_id)
    if not (has.password or has.passkeys or has.oidc):
        message = "This is your only way to sign in: add another one first."
        raise Conflict(message)
