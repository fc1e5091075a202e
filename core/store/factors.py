"""What a person can prove with who they are, in SQL."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict
from core.tables.identity import OidcAccount, Passkey, RecoveryCode, Totp
from core.tables.people import User
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


async def check_way_in(session: AsyncSession, user_id: str) -> None:
    """Raise Conflict when a person has no way left to sign in."""
    has = await of_user(session, user_id)
    if not (has.password or has.passkeys or has.oidc):
        message = "This is your only way to sign in: add another one first."
        raise Conflict(message)
