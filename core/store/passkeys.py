"""Passkeys in SQL: a person's WebAuthn credentials, seen and changed by that person only."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict, NotFound
from core.ids import new_id
from core.permissions import Principal
from core.store import factors
from core.tables.identity import Passkey
from core.values import Value
from core.views import PasskeyView

MOST = 20


class NewPasskey(Value):
    """What a registration gave; ids as base64url text."""

    credential_id: str
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...] = ()


async def add(session: AsyncSession, who: Principal, name: str, made: NewPasskey) -> PasskeyView:
    """Keep a passkey. Raises Conflict: too many, or the credential is somebody's already."""
    if await count(session, who.user_id) >= MOST:
        message = f"You have {MOST} passkeys already: remove one."
        raise Conflict(message)
    if await of_credential(session, made.credential_id) is not None:
        message = "This passkey is registered already."
        raise Conflict(message)
    row = Passkey(
        id=new_id("pky"),
        user_id=who.user_id,
        name=name,
        credential_id=made.credential_id,
        public_key=made.public_key,
        sign_count=made.sign_count,
        transports=list(made.transports),
        created_at=now(),
    )
    session.add(row)
    await session.flush()
    return _view(row)


async def of_user(session: AsyncSession, user_id: str) -> list[Passkey]:
    """Give all passkeys of a person, oldest first."""
    statement = select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id)
    return list((await session.execute(statement)).scalars())


async def of_credential(session: AsyncSession, credential_id: str) -> Passkey | None:
    """Give the passkey with this credential id, locked, whoever's it is."""
    statement = select(Passkey).where(Passkey.credential_id == credential_id).with_for_update()
    return (await session.execute(statement.execution_options(populate_existing=True))).scalar_one_or_none()


async def note_used(session: AsyncSession, passkey: Passkey, sign_count: int) -> None:
    """Remember that it was used just now, and how often as it says itself."""
    passkey.sign_count, passkey.last_used_at = sign_count, now()
    await session.flush()


async def count(session: AsyncSession, user_id: str) -> int:
    """Count a person's passkeys."""
    statement = select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id)
    return (await session.execute(statement)).scalar_one()


async def page(
    session: AsyncSession, who: Principal, *, limit: int, cursor: str | None
) -> tuple[list[PasskeyView], str | None, int]:
    """Give one's own passkeys, newest first; the next cursor; the total."""
    statement = select(Passkey).where(Passkey.user_id == who.user_id).order_by(Passkey.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Passkey.id < cursor)
    rows = list((await session.execute(statement)).scalars())
    following = rows[limit - 1].id if len(rows) > limit else None
    return [_view(row) for row in rows[:limit]], following, await count(session, who.user_id)


async def rename(session: AsyncSession, who: Principal, passkey_id: str, name: str) -> PasskeyView:
    """Call an own passkey otherwise. Raises NotFound."""
    row = await _own(session, who, passkey_id)
    row.name = name
    await session.flush()
    return _view(row)


async def remove(session: AsyncSession, who: Principal, passkey_id: str) -> None:
    """Forget an own passkey. Raises NotFound; Conflict when no other way to sign in would be left."""
    await session.delete(await _own(session, who, passkey_id))
    await session.flush()
    await factors.check_way_in(session, who.user_id)


async def _own(session: AsyncSession, who: Principal, passkey_id: str) -> Passkey:
    statement = select(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == who.user_id).with_for_update()
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        message = "You have no such passkey."
        raise NotFound(message)
    return row


def _view(row: Passkey) -> PasskeyView:
    return PasskeyView.model_validate(row.model_dump(include=set(PasskeyView.model_fields)))
