"""Tool calls in SQL: planned with their round, begun by one intent, settled by one outcome."""

from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import NotFound
from core.events import DurableEvent, ToolFailed, ToolFinished, ToolStarted, ToolUnknown
from core.permissions import Principal
from core.store import prompting, streams, webhooks
from core.store.unsettled import people_to_settle
from core.store.viewing import call_view
from core.store.visibility import sees_conversation
from core.store.work import Work
from core.tables.connect import Connection
from core.tables.consent import Approval
from core.tables.talk import Conversation
from core.tables.work import Intent, ToolCall, Turn
from core.values import ApprovalState, CallState
from core.views import ToolCallView

STANDING = and_(Approval.tool_call_id == ToolCall.id, Approval.state != ApprovalState.VOID)
"""The approval that a call waits or waited for; one that turned out void was asked again."""


async def of_turn(session: AsyncSession, who: Principal, turn_id: str) -> list[ToolCallView]:
    """Give a turn's tool calls in their order, if the person sees the turn (else none)."""
    return await _views(session, who, ToolCall.turn_id == turn_id, limit=1000)


async def of_conversation(
    session: AsyncSession, who: Principal, conversation_id: str, limit: int
) -> list[ToolCallView]:
    """Give a conversation's newest tool calls, oldest first."""
    return await _views(session, who, ToolCall.conversation_id == conversation_id, limit=limit)


async def _views(session: AsyncSession, who: Principal, which: Any, limit: int) -> list[ToolCallView]:
    statement = (
        select(ToolCall, Approval.id)
        .join(Conversation, Conversation.id == ToolCall.conversation_id)
        .outerjoin(Approval, STANDING)
        .where(which, sees_conversation(who), Conversation.deleted_at.is_(None))
        .order_by(ToolCall.created_at.desc(), ToolCall.round.desc(), ToolCall.place.desc())
        .limit(limit)
    )
    rows = (await session.execute(statement)).all()
    return [call_view(call, approval_id) for call, approval_id in reversed(rows)]


async def lock(session: AsyncSession, tool_call_id: str) -> tuple[Turn, ToolCall]:
    """Lock a call's conversation, then its turn, then the call (as the statement names them); raises NotFound."""
    statement = (
        select(Conversation, Turn, ToolCall)
        .join(Turn, Turn.conversation_id == Conversation.id)
        .join(ToolCall, ToolCall.turn_id == Turn.id)
        .where(ToolCall.id == tool_call_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        message = "There is no such tool call."
        raise NotFound(message)
    _, turn, call = found
    return turn, call


async def approval_of(session: AsyncSession, tool_call_id: str) -> Approval | None:
    """Read the approval that a tool call waited for; where people were asked again, the newest."""
    statement = select(Approval).where(Approval.tool_call_id == tool_call_id).order_by(Approval.generation.desc())
    statement = statement.limit(1).execution_options(populate_existing=True)
    return (await session.execute(statement)).scalar_one_or_none()


async def intent_of(session: AsyncSession, tool_call_id: str) -> Intent | None:
    """Read the intent of a tool call: None means that nothing was sent."""
    return await session.get(Intent, tool_call_id, populate_existing=True)


async def is_connected(session: AsyncSession, call: ToolCall) -> bool:
    """Whether the connection that a call was planned with, if it was with one, is still there."""
    if call.connection_id is None:
        return True
    row = await session.get(Connection, call.connection_id, populate_existing=True)
    return row is not None and row.removed_at is None


async def begin(work: Work, call: ToolCall, approval_id: str | None, idempotency_key: str, attempt: int) -> None:
    """Insert the unique intent: only who does may send, and only until a newer attempt comes to the gate."""
    at = now()
    intent = Intent(
        tool_call_id=call.id, approval_id=approval_id, idempotency_key=idempotency_key, attempt=attempt, created_at=at
    )
    work.session.add(intent)
    call.state, call.started_at = CallState.RUNNING, at
    await work.session.flush()
    await streams.append(work, call.conversation_id, ToolStarted(call=call_view(call, approval_id)))


async def settle(
    work: Work,
    call: ToolCall,
    state: CallState,
    *,
    result: dict[str, Any] | None = None,
    detail: str | None = None,
    settled_by: str | None = None,
) -> None:
    """Write what became of a call, with its event; the intent, if there is one, gets its outcome.

    While nobody knows it, and when that ends, whoever can say is told in their inboxes.
    """
    at, was_unknown = now(), call.state == CallState.UNKNOWN
    call.state, call.result, call.detail, call.ended_at = state, result, detail, at
    intent = await intent_of(work.session, call.id)
    if intent is not None and state is not CallState.UNKNOWN:
        intent.outcome, intent.settled_at, intent.settled_by = state, at, settled_by
    approval = await approval_of(work.session, call.id)
    await work.session.flush()
    view = call_view(call, approval.id if approval else None)
    await streams.append(work, call.conversation_id, _settled(view, state))
    if was_unknown or state is CallState.UNKNOWN:
        people = await people_to_settle(work.session, call)
        for membership_id, _ in people:
            await streams.notify(work, membership_id, _settled(view, state))
        await prompting.ask_what_happened(work, call, [one.user_id for _, one in people])
    if state is CallState.UNKNOWN:
        await webhooks.tell_of_unknown_call(work, call.workspace_id, view)


def _settled(view: ToolCallView, state: CallState) -> DurableEvent:
    if state is CallState.DONE:
        return ToolFinished(call=view)
    return ToolUnknown(call=view) if state is CallState.UNKNOWN else ToolFailed(call=view)


async def executed_in(session: AsyncSession, turn_ids: list[str]) -> list[ToolCall]:
    """Give the calls of these turns that were sent: a retry must not repeat them unasked."""
    statement = select(ToolCall).join(Intent, Intent.tool_call_id == ToolCall.id).where(ToolCall.turn_id.in_(turn_ids))
    return list((await session.execute(statement)).scalars())
