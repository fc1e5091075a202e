"""What the upkeep of turns asks of SQL: leases that may be orphaned, closed turns whose histories are not kept yet."""

from datetime import timedelta
from typing import Any

from sqlalchemy import case, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.tables.consent import Approval
from core.tables.records import WorkflowHistory
from core.tables.work import Outbox, Turn
from core.values import TurnState


async def unended(session: AsyncSession, older_than: timedelta, limit: int = 100) -> list[Turn]:
    """Give turns that have begun, have not ended for this long, and about which nothing is still to be told.

    Those that hold their conversation come first: however many wait for people, a lost one is seen.
    """
    told = ~exists(select(1).where(Outbox.ref.startswith(Turn.id)))
    statement = (
        select(Turn)
        .where(Turn.state.in_([TurnState.RUNNING, TurnState.WAITING]), Turn.started_at < now() - older_than, told)
        .order_by(case((Turn.state == TurnState.RUNNING, 0), else_=1), Turn.started_at)
        .limit(limit)
    )
    return list((await session.execute(statement)).scalars())


async def unarchived(session: AsyncSession, older_than: timedelta, limit: int = 20) -> list[tuple[str, str]]:
    """Give (workflow id, turn id) of ended turns and closed approvals whose history is not kept yet."""
    kept_turn = exists(select(1).where(WorkflowHistory.workflow_id == "turn-" + Turn.id))
    turns = select(Turn.id).where(Turn.ended_at < now() - older_than, Turn.started_at.is_not(None), ~kept_turn)
    kept_approval = exists(select(1).where(WorkflowHistory.workflow_id == "approval-" + Approval.id))
    closed = select(Approval.id, Approval.turn_id).where(Approval.decided_at < now() - older_than, ~kept_approval)
    found = [(f"turn-{one}", one) for one in (await session.execute(turns.limit(limit))).scalars()]
    approvals = await session.execute(closed.limit(limit))
    return [*found, *((f"approval-{one}", turn_id or "") for one, turn_id in approvals)]


def keep_history(session: AsyncSession, workflow_id: str, run_id: str, turn_id: str, body: dict[str, Any]) -> None:
    """Keep a closed workflow's history."""
    session.add(WorkflowHistory(workflow_id=workflow_id, run_id=run_id, turn_id=turn_id, body=body, stored_at=now()))


async def history(session: AsyncSession, workflow_id: str) -> WorkflowHistory | None:
    """Give a kept history. The caller has checked who asks."""
    return await session.get(WorkflowHistory, workflow_id)
