"""Wrong codes in SQL: counted for each sender and each user, who are not looked at for a while after a few."""

from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import TooMany
from core.tables.identity import LinkFailure

MAX_WRONG = 5
LOCKED = timedelta(hours=1)
FORGOTTEN = timedelta(hours=1)
"""How long a wrong code counts. A right one in between forgets nothing: one could always have a right one ready."""
KEPT = timedelta(days=1)


async def check(session: AsyncSession, who: str) -> LinkFailure:
    """Take the sender's count, so that nobody counts beside; raises TooMany while they are locked out.

    The answer is about the sender alone and the same for right and wrong codes.
    """
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    await session.execute(insert(LinkFailure).values(who=who, count=0, last_at=now()).on_conflict_do_nothing())
    row = await session.get_one(LinkFailure, who, with_for_update=True, populate_existing=True)
    old = select(LinkFailure.who).where(LinkFailure.last_at < now() - KEPT, LinkFailure.who != who)
    await session.execute(delete(LinkFailure).where(LinkFailure.who.in_(old.with_for_update(skip_locked=True))))
    if row.locked_until is not None and row.locked_until > now():
        message = "Too many wrong codes: come back later."
        raise TooMany(message, retry_after=(row.locked_until - now()).total_seconds())
    return row


def count(row: LinkFailure) -> None:
    """Count one more wrong code; the transaction must be committed for it to count."""
    at = now()
    recent = row.last_at > at - FORGOTTEN and row.locked_until is None
    row.count, row.last_at, row.locked_until = (row.count + 1 if recent else 1), at, None
    if row.count >= MAX_WRONG:
        row.locked_until = at + LOCKED
