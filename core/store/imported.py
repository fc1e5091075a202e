"""Imported connectors in SQL: kept with what they were made of, used once somebody has reviewed them."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.tables.connect import Imported

REVIEW, READY, CHANGED, REMOVED = "review", "ready", "changed", "removed"


async def ready(session: AsyncSession) -> list[Imported]:
    """Give every connector that may be used, of all workspaces, in a fixed order."""
    statement = select(Imported).where(Imported.state == READY).order_by(Imported.workspace_id, Imported.id)
    return list((await session.execute(statement)).scalars())


async def mark(session: AsyncSession) -> tuple[int, datetime | None]:
    """Give what changes whenever an imported connector does: how many there are, and the newest change."""
    row = (await session.execute(select(func.count(), func.max(Imported.updated_at)).select_from(Imported))).one()
    return row[0], row[1]
