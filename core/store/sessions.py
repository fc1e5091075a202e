"""Sessions in SQL: a sign-in and the chain of refresh tokens that follows from it."""

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.consent import Assurance
from core.ids import new_id, new_secret, secret_hash
from core.permissions import Principal
from core.tables.people import Membership, RefreshToken, Session
from core.values import Value


class Opened(Value):
    """A session, and the refresh token that is shown only now."""

    session_id: str
    user_id: str
    workspace_id: str
    refresh_token: str


class Reused(Value):
    """A refresh token came a second time: somebody stole it, so its session is over."""

    session_id: str
    user_id: str
    workspace_id: str


async def begin(
    session: AsyncSession, member: Membership, life: timedelta, label: str, proved_by: str = "password"
) -> Opened:
    """Begin a session of a member; `life` is how long its refresh token may lie unused."""
    row = Session(
        id=new_id("ses"),
        user_id=member.user_id,
        workspace_id=member.workspace_id,
        label=label,
        proved_at=now(),
        proved_by=proved_by,
        created_at=now(),
    )
    session.add(row)
    await session.flush()
    return await _next_link(session, row, life)


async def rotate(session: AsyncSession, refresh_token: str, life: timedelta) -> Opened | Reused | None:
    """Use a refresh token up and give the next. Reused: the session was revoked just now. None: it is worth nothing.

    Commit whatever the answer is (RFC 9700, section 4.14.2).
    """
    link = await _lock_link(session, refresh_token)
    if link is None:
        return None
    row = await session.get_one(Session, link.session_id)
    if row.revoked_at is not None or link.expires_at <= now():
        return None
    if link.used_at is not None:
        row.revoked_at = now()
        return Reused(session_id=row.id, user_id=row.user_id, workspace_id=row.workspace_id)
    link.used_at = now()
    return await _next_link(session, row, life)


async def assurance_of(session: AsyncSession, who: Principal, fresh: timedelta) -> Assurance:
    """Tell how sure we are of the person behind a request: L3 when they proved who they are less than `fresh` ago."""
    if who.is_program:
        return Assurance.L1
    row = await session.get(Session, who.session_id)
    if row is None or row.proved_at is None or row.proved_at <= now() - fresh:
        return Assurance.L2
    return Assurance.L3


async def revoke(session: AsyncSession, session_id: str) -> None:
    """End a session with all its tokens; ending twice is ending once."""
    statement = update(Session).where(Session.id == session_id, Session.revoked_at.is_(None)).values(revoked_at=now())
    await session.execute(statement)


async def revoke_by_token(session: AsyncSession, refresh_token: str) -> None:
    """End the session of a refresh token, used or not; a token that is none ends nothing."""
    link = await _lock_link(session, refresh_token)
    if link is not None:
        await revoke(session, link.session_id)


async def _lock_link(session: AsyncSession, refresh_token: str) -> RefreshToken | None:
    statement = (
        select(RefreshToken)
        .where(RefreshToken.token_hash == secret_hash(refresh_token))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def _next_link(session: AsyncSession, row: Session, life: timedelta) -> Opened:
    secret = new_secret()
    at = now()
    session.add(RefreshToken(token_hash=secret_hash(secret), session_id=row.id, created_at=at, expires_at=at + life))
    await session.flush()
    return Opened(session_id=row.id, user_id=row.user_id, workspace_id=row.workspace_id, refresh_token=secret)
