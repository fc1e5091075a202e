"""What programs do by themselves in SQL: the conversation that holds their calls, and calls that still run."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.digest import canonical
from core.permissions import Principal
from core.store.viewing import turn_view
from core.store.visibility import sees_conversation
from core.tables.consent import Approval
from core.tables.talk import Conversation
from core.tables.work import Turn
from core.values import ApprovalState, TurnState
from core.views import TurnView

_OPEN = (TurnState.QUEUED, TurnState.RUNNING, TurnState.WAITING)
_MOST = 200


async def conversation(session: AsyncSession, who: Principal, door: str) -> str | None:
    """Give the newest conversation that this person's programs began through a door."""
    statement = (
        select(Conversation.id)
        .where(Conversation.owner_id == who.user_id, Conversation.origin_channel == door, sees_conversation(who))
        .where(Conversation.deleted_at.is_(None))
        .order_by(Conversation.last_activity_at.desc())
        .limit(1)
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def open_call(
    session: AsyncSession, who: Principal, door: str, action: str, arguments: dict[str, Any]
) -> TurnView | None:
    """Give the oldest call of this person through that door, with these very arguments, that has not ended."""
    statement = (
        select(Turn)
        .where(Turn.user_id == who.user_id, Turn.workspace_id == who.workspace_id, Turn.door == door)
        .where(Turn.state.in_(_OPEN), Turn.direct.is_not(None))
        .order_by(Turn.created_at)
        .limit(_MOST)
    )
    wanted = canonical({"action": action, "arguments": arguments})
    for turn in (await session.execute(statement)).scalars():
        if turn.direct is not None and canonical(turn.direct) == wanted:
            return turn_view(turn)
    return None


async def closed_asks(session: AsyncSession, who: Principal, prefix: str) -> int:
    """Count this person's outside requests under keys that begin so and are closed by now."""
    statement = select(func.count()).select_from(Approval)
    statement = statement.where(Approval.requester_id == who.user_id, Approval.client_key.startswith(prefix))
    closed = Approval.state.not_in([ApprovalState.REQUESTED, ApprovalState.PENDING])
    return (await session.execute(statement.where(closed))).scalar_one()
