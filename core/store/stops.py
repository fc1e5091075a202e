"""Stops in SQL: one turn or several, each with what its workflow has to be told after the commit."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.permissions import Principal
from core.store import approvals, outbox, paths, turns
from core.store.paths import Segment
from core.store.work import Stopped, Work
from core.tables.talk import Conversation
from core.tables.work import Turn
from core.values import TurnState
from core.views import TurnView

_OPEN = (TurnState.QUEUED, TurnState.RUNNING, TurnState.WAITING)


async def stop(work: Work, who: Principal, turn_id: str, *, hand_on: bool = True) -> TurnView:
    """Stop a turn, and note down what its workflow has to be told. Raises NotFound."""
    view, had_workflow = await turns.stop(work, who, turn_id, hand_on=hand_on)
    if had_workflow:
        open_ids = tuple(row.id for row in await approvals.open_of_turn(work.session, turn_id))
        stopped = Stopped(turn_id=turn_id, approval_ids=open_ids, user_id=who.user_id)
        body = {**asdict(stopped), "approval_ids": list(open_ids)}
        outbox.put(work, outbox.STOP_TURN, turn_id, body, delay=outbox.RELAY_GRACE)
        work.stopped.append(stopped)
    return view


async def stop_these(work: Work, who: Principal, turn_ids: Sequence[str]) -> list[TurnView]:
    """Stop turns in this order."""
    return [await stop(work, who, turn_id) for turn_id in turn_ids]


async def in_states(session: AsyncSession, conversation_id: str, *states: TurnState) -> Sequence[str]:
    """Give the ids of a conversation's turns in these states, the one that holds it last.

    In this order stopping them all begins none of them. The caller has checked who asks, and holds the lock.
    """
    return await _ids(session, conversation_id, states, None)


async def off_path(session: AsyncSession, conversation_id: str, segments: Sequence[Segment]) -> Sequence[str]:
    """Give the ids of the open turns that are on another path, in the same order."""
    return await _ids(session, conversation_id, _OPEN, segments)


async def _ids(
    session: AsyncSession, conversation_id: str, states: Sequence[TurnState], segments: Sequence[Segment] | None
) -> Sequence[str]:
    statement = (
        select(Turn.id)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .where(Turn.conversation_id == conversation_id, Turn.state.in_(states))
        .order_by(func.coalesce(Conversation.active_turn_id, "") == Turn.id, Turn.place)
    )
    if segments is not None:
        statement = statement.where(~paths.on_path(segments))
    return (await session.execute(statement)).scalars().all()
