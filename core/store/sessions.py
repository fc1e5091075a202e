"""Sessions in SQL: a sign-in and the chain of refresh tokens that follows from it."""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.consent import Assurance
from core.errors import NotSignedIn
from core.ids import new_id, new_secret, secret_hash
from core.permissions import Principal
from core.store import factors
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.people import Membership, RefreshToken, Session
from core.values import Value
from core.views import SessionView

FIRST_FACTORS = frozenset({"password", "oidc"})
"""Proofs that a thief of one secret, or of an account elsewhere, could give."""


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
    session: AsyncSession,
    member: Membership,
    life: timedelta,
    label: str,
    proved_by: str | None = "password",
    proved_at: datetime | None = None,
) -> Opened:
    """Begin a session of a member; `life` is how long its refresh token may lie unused.

    `proved_by` None: nobody knows when the person last proved who they are; else it was at `proved_at`, or just now.
    """
    row = Session(
        id=new_id("ses"),
        user_id=member.user_id,
        workspace_id=member.workspace_id,
        label=label,
        proved_at=(proved_at or now()) if proved_by else None,
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
    """Tell how sure we are of the person behind a request: L3 when they proved who they are less than `fresh` ago.

    Where they have an authenticator app or a passkey, only that proves it.
    """
    if who.is_program:
        return Assurance.L1
    row = await session.get(Session, who.session_id)
    if row is None or row.proved_at is None or row.proved_at <= now() - fresh:
        return Assurance.L2
    if row.proved_by in FIRST_FACTORS and (await factors.of_user(session, who.user_id)).second:
        return Assurance.L2
    return Assurance.L3


async def prove(work: Work, audit: AuditTrail, who: Principal, proved_by: str, at: datetime | None = None) -> None:
    """Remember that the person of a session proved who they are, now or at a time. Raises NotSignedIn when it is over.

    Call it last: it writes to the audit trail.
    """
    row = await work.session.get(Session, who.session_id, with_for_update=True, populate_existing=True)
    if row is None or row.user_id != who.user_id or row.revoked_at is not None:
        message = "This session is over: sign in again."
        raise NotSignedIn(message)
    row.proved_at, row.proved_by = at or now(), proved_by
    await work.session.flush()
    await audit.record(work, who.workspace_id, who.user_id, "session.proved", row.id, by=proved_by)


async def view(session: AsyncSession, who: Principal, fresh: timedelta) -> SessionView:
    """Show a sign-in to its person; of a program's token only what its person has."""
    row = None if who.is_program else await session.get(Session, who.session_id)
    assurance = await assurance_of(session, who, fresh)
    proved_at = row.proved_at if row else None
    return SessionView(
        id=who.session_id,
        assurance=assurance,
        proved_at=proved_at,
        proved_by=row.proved_by if row else None,
        fresh_until=proved_at + fresh if proved_at and assurance is Assurance.L3 else None,
        factors=await factors.of_user(session, who.user_id),
    )


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
