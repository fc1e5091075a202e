"""Sign-ins and proofs under way in SQL: each is named by a secret, lives for minutes, and is used once."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import ProofFailed
from core.ids import new_secret, secret_hash
from core.tables.identity import Ceremony

LIFE = timedelta(minutes=5)
SECOND_FACTOR = "second factor"
REGISTRATION = "passkey registration"
ASSERTION = "passkey assertion"
OIDC_TRIP = "oidc trip"
OIDC_TICKET = "oidc ticket"
_KEPT = timedelta(hours=1)


async def begin(
    session: AsyncSession,
    kind: str,
    *,
    user_id: str | None = None,
    session_id: str | None = None,
    secret: str | None = None,
    **body: Any,
) -> str:
    """Begin one; gives the secret that names it, of which only the hash is kept. Sweeps those long over."""
    secret = secret or new_secret()
    at = now()
    await session.execute(delete(Ceremony).where(Ceremony.expires_at < at - _KEPT))
    row = Ceremony(
        id=secret_hash(secret),
        kind=kind,
        user_id=user_id,
        session_id=session_id,
        body=body,
        created_at=at,
        expires_at=at + LIFE,
    )
    session.add(row)
    await session.flush()
    return secret


async def look(session: AsyncSession, kind: str, secret: str) -> Ceremony:
    """Give one that is under way, locked but not used. Raises ProofFailed: used, over, or never begun."""
    statement = (
        select(Ceremony)
        .where(
            Ceremony.id == secret_hash(secret),
            Ceremony.kind == kind,
            Ceremony.used_at.is_(None),
            Ceremony.expires_at > now(),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        message = "This was used already, it took too long, or it was never begun: begin again."
        raise ProofFailed(message, reason="ceremony_over")
    return row


async def take(session: AsyncSession, kind: str, secret: str) -> Ceremony:
    """Use one up; commit whatever comes of it. Raises ProofFailed: used, over, or never begun."""
    row = await look(session, kind, secret)
    row.used_at = now()
    await session.flush()
    return row
