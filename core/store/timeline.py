"""All that SQL keeps about one turn, for the person who asks what happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from core.permissions import Principal
from core.store import audit, turns
from core.store.messages import reply_id
from core.tables.consent import Approval, Decision
from core.tables.cost import Usage
from core.tables.memory import Recall
from core.tables.people import User
from core.tables.records import AuditRow, StoredEvent, WorkflowHistory
from core.tables.talk import Message
from core.tables.work import Outbox, Round, ToolCall, Turn

_LIMIT = 1000
_SLACK = timedelta(seconds=1)
_Row = TypeVar("_Row", bound=SQLModel)


@dataclass(frozen=True)
class TurnRecords:
    """The rows about one turn; `names` gives a user's name by id."""

    turn: Turn
    message: Message | None
    reply: Message | None
    events: Sequence[StoredEvent]
    rounds: Sequence[Round]
    calls: Sequence[ToolCall]
    approvals: Sequence[Approval]
    decisions: Sequence[Decision]
    audit: Sequence[AuditRow]
    untold: Sequence[Outbox]
    histories: dict[str, WorkflowHistory]
    usage: Sequence[Usage]
    names: dict[str, str]
    recall: Recall | None = None


async def of_turn(session: AsyncSession, who: Principal, turn_id: str) -> TurnRecords:
    """Read them if the person sees the turn's conversation; raises NotFound. An approver alone does not see it."""
    turn = await turns.visible(session, who, turn_id)
    calls = await _rows(session, ToolCall, ToolCall.turn_id == turn_id, ToolCall.round)
    approvals = await _rows(session, Approval, Approval.turn_id == turn_id, Approval.created_at)
    approval_ids = [row.id for row in approvals]
    decisions = await _rows(session, Decision, Decision.approval_id.in_(approval_ids), Decision.created_at)
    subjects = {turn_id, *approval_ids, *(row.id for row in calls)}
    audited = await audit.about(session, turn.workspace_id, subjects)
    kept = await _rows(session, WorkflowHistory, WorkflowHistory.turn_id == turn_id, WorkflowHistory.stored_at)
    people = {turn.user_id, turn.stopped_by, *(row.actor for row in audited), *(row.user_id for row in decisions)}
    return TurnRecords(
        turn=turn,
        message=await session.get(Message, turn.message_id),
        reply=await session.get(Message, reply_id(turn_id)),
        events=await _events(session, turn),
        rounds=await _rows(session, Round, Round.turn_id == turn_id, Round.number),
        calls=calls,
        approvals=approvals,
        decisions=decisions,
        audit=audited,
        untold=await _rows(session, Outbox, Outbox.ref.startswith(turn_id, autoescape=True), Outbox.created_at),
        histories={row.workflow_id: row for row in kept},
        usage=await _rows(session, Usage, Usage.turn_id == turn_id, Usage.id),
        recall=await session.get(Recall, turn_id),
        names=await _names(session, people | {row.decided_by for row in approvals}),
    )


async def _rows(session: AsyncSession, table: type[_Row], which: Any, order: Any) -> Sequence[_Row]:
    return list((await session.execute(select(table).where(which).order_by(order).limit(_LIMIT))).scalars())


async def _events(session: AsyncSession, turn: Turn) -> Sequence[StoredEvent]:
    """Give the events about the turn itself: those of calls and approvals say what their rows say."""
    of_it = StoredEvent.body["turn"]["id"].as_string() == turn.id
    when = StoredEvent.created_at >= turn.created_at - _SLACK
    if turn.ended_at is not None:
        when = and_(when, StoredEvent.created_at <= turn.ended_at + _SLACK)
    return await _rows(
        session, StoredEvent, and_(StoredEvent.stream_id == turn.conversation_id, when, of_it), StoredEvent.seq
    )


async def _names(session: AsyncSession, user_ids: set[str | None]) -> dict[str, str]:
    statement = select(User.id, User.name).where(User.id.in_([one for one in user_ids if one]))
    return {row[0]: row[1] for row in await session.execute(statement)}
