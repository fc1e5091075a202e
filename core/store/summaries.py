"""Summaries of long conversations in SQL: versions, of which the newest counts."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.ids import new_id
from core.store.work import Work
from core.tables.memory import Summary


async def newest(session: AsyncSession, conversation_id: str, branch_id: str | None) -> Summary | None:
    """Give the newest version of a branch's summary (None: the trunk's)."""
    statement = (
        select(Summary)
        .where(Summary.conversation_id == conversation_id, Summary.branch_id.is_not_distinct_from(branch_id))
        .order_by(Summary.version.desc())
        .limit(1)
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def add(
    work: Work, conversation_id: str, branch_id: str | None, *, upto_place: int, text: str, model: str
) -> Summary:
    """Write the next version."""
    last = select(func.max(Summary.version)).where(Summary.conversation_id == conversation_id)
    version = (await work.session.execute(last)).scalar_one_or_none() or 0
    row = Summary(
        id=new_id("sum"),
        conversation_id=conversation_id,
        branch_id=branch_id,
        version=version + 1,
        upto_place=upto_place,
        text=text,
        model=model,
        created_at=now(),
    )
    work.session.add(row)
    return row
