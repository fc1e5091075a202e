"""Decisions in SQL: received before anybody hears of them, then accepted or refused."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.store.work import Work
from core.tables.consent import Decision

RECEIVED, ACCEPTED, REFUSED = "received", "accepted", "refused"


async def sent_before(session: AsyncSession, update_id: str) -> Decision | None:
    """Give the decision that was sent under this update id, if any."""
    statement = select(Decision).where(Decision.update_id == update_id)
    return (await session.execute(statement)).scalar_one_or_none()


async def settle(work: Work, decision_id: str, refusal: str | None, detail: str | None = None) -> Decision | None:
    """Store the verdict on a received decision; None when it was settled before."""
    statement = select(Decision).where(Decision.id == decision_id, Decision.state == RECEIVED).with_for_update()
    decision = (await work.session.execute(statement)).scalar_one_or_none()
    if decision is None:
        return None
    decision.state = REFUSED if refusal else ACCEPTED
    decision.refusal, decision.detail, decision.settled_at = refusal, detail, now()
    await work.session.flush()
    return decision


async def left_behind(session: AsyncSession, older_than: timedelta, limit: int = 20) -> list[Decision]:
    """Give decisions that are still only received: a crash, or an engine that was away, left them."""
    statement = (
        select(Decision)
        .where(Decision.state == RECEIVED, Decision.created_at < now() - older_than)
        .order_by(Decision.created_at)
        .limit(limit)
    )
    return list((await session.execute(statement)).scalars())
