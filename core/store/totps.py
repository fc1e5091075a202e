"""Authenticator apps and recovery codes in SQL: the secret sealed, each code good once."""

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict, NotFound
from core.ids import new_id, secret_hash
from core.sealing import Sealer
from core.tables.identity import RecoveryCode, Totp

_TABLE = "totps"


async def enrol(session: AsyncSession, sealer: Sealer, user_id: str, secret: str) -> None:
    """Keep a new secret until its first code confirms it. Raises Conflict when one is in use."""
    row = await _locked(session, user_id)
    if row is not None and row.confirmed_at is not None:
        message = "You have an authenticator app already: remove it first."
        raise Conflict(message)
    sealed = sealer.seal(_TABLE, user_id, secret)
    if row is None:
        row = Totp(user_id=user_id, key_id=sealed.key_id, ciphertext=sealed.ciphertext, created_at=now())
        session.add(row)
    row.key_id, row.ciphertext, row.last_step, row.created_at = sealed.key_id, sealed.ciphertext, 0, now()
    await session.flush()


async def secret_of(session: AsyncSession, sealer: Sealer, user_id: str, *, confirmed: bool) -> tuple[Totp, str] | None:
    """Give a person's row, locked, and its secret, sealed anew when the ring has a newer key; None without one."""
    row = await _locked(session, user_id)
    if row is None or (row.confirmed_at is not None) is not confirmed:
        return None
    secret = sealer.open(_TABLE, user_id, row.key_id, row.ciphertext)
    fresh = sealer.reseal(_TABLE, user_id, row.key_id, row.ciphertext)
    if fresh is not None:
        row.key_id, row.ciphertext = fresh.key_id, fresh.ciphertext
    return row, secret


async def remove(session: AsyncSession, user_id: str) -> None:
    """Forget the app and its recovery codes. Raises NotFound when there is none."""
    row = await _locked(session, user_id)
    if row is None:
        message = "You have no authenticator app."
        raise NotFound(message)
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    await session.delete(row)
    await session.flush()


async def replace_recovery_codes(session: AsyncSession, user_id: str, codes: list[str]) -> None:
    """Keep the hashes of new recovery codes; the old ones are worth nothing from now on."""
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    for code in codes:
        row = RecoveryCode(id=new_id("rec"), user_id=user_id, code_hash=_hash(user_id, code), created_at=now())
        session.add(row)
    await session.flush()


async def use_recovery_code(session: AsyncSession, user_id: str, code: str) -> bool:
    """Use a recovery code up; False when this person has none like it left."""
    statement = (
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user_id,
            RecoveryCode.code_hash == _hash(user_id, code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now())
        .returning(RecoveryCode.id)
    )
    return (await session.execute(statement)).first() is not None


def _hash(user_id: str, code: str) -> str:
    """Hash a code of 80 random bits, which needs no slow hash."""
    return secret_hash(f"{user_id} {code}")


async def _locked(session: AsyncSession, user_id: str) -> Totp | None:
    return await session.get(Totp, user_id, with_for_update=True, populate_existing=True)
