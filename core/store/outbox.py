"""What must still be told to Temporal: written with the change that asks for it, removed once it is told."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.ids import new_id
from core.store.work import Work
from core.tables.work import Outbox

DOORBELL = "outbox"
START_TURN = "start_turn"
WAKE_TURN = "wake_turn"
STOP_TURN = "stop_turn"
READ_DOCUMENT = "read_document"
REFLECT = "reflect"
WIPE = "wipe"
ASK = "ask"
RELAY_GRACE = timedelta(seconds=2)
"""How long the relay leaves to who tells it at once."""
_LONGEST_WAIT = timedelta(seconds=60)


def put(work: Work, kind: str, ref: str, body: dict[str, Any], *, delay: timedelta = timedelta()) -> None:
    """Ask for something to be told, after `delay` when somebody else tells it first. Rings the relay."""
    at = now()
    work.session.add(Outbox(id=new_id("out"), kind=kind, ref=ref, body=body, due_at=at + delay, created_at=at))
    if not delay:
        work.streams.add(DOORBELL)


async def remove(session: AsyncSession, kind: str, ref: str) -> None:
    """Forget it: it was told."""
    await session.execute(delete(Outbox).where(Outbox.kind == kind, Outbox.ref == ref))


async def due(session: AsyncSession, limit: int = 50) -> list[Outbox]:
    """Give what is due, oldest first; on PostgreSQL rows that another relay holds are left out."""
    statement = (
        select(Outbox)
        .where(Outbox.due_at <= now())
        .order_by(Outbox.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list((await session.execute(statement)).scalars())


async def is_due(session: AsyncSession) -> bool:
    """Whether anything is due; asks without a lock."""
    return (await session.execute(select(Outbox.id).where(Outbox.due_at <= now()).limit(1))).first() is not None


async def postpone(session: AsyncSession, row_id: str, attempts: int) -> datetime:
    """Try again later: after 2, 4, 8 ... 60 seconds; the time is returned."""
    at = now() + min(timedelta(seconds=2 ** min(attempts, 6)), _LONGEST_WAIT)
    await session.execute(update(Outbox).where(Outbox.id == row_id).values(due_at=at, attempts=attempts))
    return at


async def is_pending(session: AsyncSession, ref_prefix: str) -> bool:
    """Whether something about this turn is still to be told."""
    statement = select(Outbox.id).where(Outbox.ref.startswith(ref_prefix, autoescape=True)).limit(1)
    return (await session.execute(statement)).first() is not None
