"""How memory is, in SQL: the workers that keep it write, every door reads."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.tables.memory import MemoryChange, MemoryStatus
from core.views import MemoryView

FRESH = timedelta(seconds=90)
"""Whoever keeps memory says so at least every 30 seconds."""
_ONE = "memory"


async def write(session: AsyncSession, **values: Any) -> None:
    """Say how memory is; what is not given stays as it was."""
    row = await session.get(MemoryStatus, _ONE, with_for_update=True)
    if row is None:
        row = MemoryStatus(id=_ONE, state="warming", sentence="", rows={}, updated_at=now())
        session.add(row)
    for name, value in values.items():
        setattr(row, name, value)
    row.updated_at = now()


async def tell(session: AsyncSession, *, state: str, sentence: str, **values: Any) -> None:
    """Say how memory is from outside of its writer: a build under way says more, and is not talked over."""
    row = await session.get(MemoryStatus, _ONE)
    builds = row is not None and row.state == "rebuilding" and now() - row.updated_at < FRESH
    if not (builds and state == "ready"):
        await write(session, state=state, sentence=sentence, **values)


async def is_stale(session: AsyncSession) -> bool:
    """Whether changes were dropped since the index was built."""
    row = await session.get(MemoryStatus, _ONE)
    return row is not None and row.stale


async def view(session: AsyncSession) -> MemoryView:
    """Tell how memory is."""
    row = await session.get(MemoryStatus, _ONE, populate_existing=True)
    waiting = (await session.execute(select(func.count()).select_from(MemoryChange))).scalar_one()
    if row is None:
        return MemoryView(state="away", sentence="No worker has kept memory here yet.", waiting=waiting)
    away = row.state != "off" and now() - row.updated_at > FRESH
    return MemoryView(
        state="away" if away else row.state,
        sentence="No worker keeps memory now." if away else row.sentence,
        model=row.model or None,
        dimension=row.dimension or None,
        backend=row.backend or None,
        rows=row.rows,
        done=row.done,
        total=row.total,
        waiting=waiting,
        built_at=row.built_at,
        updated_at=row.updated_at,
    )


async def drop_changes(session: AsyncSession, more_than: int = 0) -> int:
    """Forget all changes when there are more than so many, since nobody learns them; the index is stale then.

    Returns how many there were, 0 when they are kept.
    """
    waiting = int((await session.execute(select(func.count()).select_from(MemoryChange))).scalar_one())
    if waiting <= more_than:
        return 0
    await session.execute(delete(MemoryChange))
    await write(session, stale=True)
    return waiting
