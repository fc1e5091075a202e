"""Questions to memory on their way to a worker: the words stay here, only an id travels."""

from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.ids import new_id
from core.permissions import Principal
from core.tables.memory import Lookup

_KEPT = timedelta(hours=1)


def add(session: AsyncSession, who: Principal, text: str, conversation_id: str | None) -> str:
    """Write a question down; its id is returned."""
    row = Lookup(
        id=new_id("lkp"),
        workspace_id=who.workspace_id,
        user_id=who.user_id,
        conversation_id=conversation_id,
        text=text,
        created_at=now(),
    )
    session.add(row)
    return row.id


async def get(session: AsyncSession, lookup_id: str) -> Lookup | None:
    """Give a question; None when nobody waits for its answer any more."""
    return await session.get(Lookup, lookup_id)


async def drop(session: AsyncSession, lookup_id: str) -> None:
    """Forget a question, and those that nobody dropped in an hour."""
    await session.execute(delete(Lookup).where((Lookup.id == lookup_id) | (Lookup.created_at < now() - _KEPT)))
