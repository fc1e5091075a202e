"""What the memory's index has yet to learn: noted with each change, read by the one writer, dropped once known."""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.ids import new_id
from core.store.work import Work
from core.tables.memory import MemoryChange

DOORBELL = "memory"
Kind = Literal["turn", "fact", "document", "conversation"]


def note(work: Work, kind: Kind, ref: str) -> None:
    """Note that the truth about something changed: it was said, edited, forgotten, deleted or restored."""
    work.session.add(MemoryChange(id=new_id("chg"), kind=kind, ref=ref, created_at=now()))
    work.streams.add(DOORBELL)


async def waiting(session: AsyncSession, limit: int) -> Sequence[MemoryChange]:
    """Give the oldest changes."""
    return (await session.execute(select(MemoryChange).order_by(MemoryChange.id).limit(limit))).scalars().all()


async def any_waiting(session: AsyncSession) -> bool:
    """Whether there is anything to learn."""
    return (await session.execute(select(MemoryChange.id).limit(1))).first() is not None


async def drop(session: AsyncSession, ids: Sequence[str]) -> None:
    """Forget changes that the index knows now."""
    await session.execute(delete(MemoryChange).where(MemoryChange.id.in_(ids)))
