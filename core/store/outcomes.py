"""A person says what became of a call that nobody knew of; what is known first, their word or another, stands."""

from enum import StrEnum

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict, NotAllowed, NotFound
from core.permissions import Principal
from core.store import calls
from core.store.audit import AuditTrail
from core.store.unsettled import may_settle
from core.store.viewing import call_view
from core.store.visibility import sees_conversation
from core.store.work import Work
from core.tables.talk import Conversation
from core.tables.work import ToolCall
from core.values import CallState
from core.views import ToolCallView


class Outcome(StrEnum):
    """It took effect; it was tried and did not work; it did not happen."""

    DONE = "done"
    FAILED = "failed"
    NOT_DONE = "not_done"


_STATES = {Outcome.DONE: CallState.DONE, Outcome.FAILED: CallState.FAILED, Outcome.NOT_DONE: CallState.NOT_RUN}
_WORDS = {Outcome.DONE: "it was done", Outcome.FAILED: "it failed", Outcome.NOT_DONE: "it was not done"}


async def say(
    work: Work, audit: AuditTrail, who: Principal, tool_call_id: str, outcome: Outcome, detail: str | None
) -> ToolCallView:
    """Settle an unknown call by a person's word; saying the same twice is once.

    Raises NotFound, NotAllowed when it is not theirs to say, Conflict when it is known, or not unknown yet.
    """
    await _check(work.session, who, tool_call_id)
    _, call = await calls.lock(work.session, tool_call_id)
    intent = await calls.intent_of(work.session, call.id)
    approval = await calls.approval_of(work.session, call.id)
    approval_id = approval.id if approval else None
    if call.state != CallState.UNKNOWN or intent is None:
        if intent is not None and intent.settled_by == who.user_id and call.state == _STATES[outcome]:
            return call_view(call, approval_id)
        message = f"This call is not of unknown fate: it is {call.state}."
        raise Conflict(message, state=call.state)
    told = f"{who.name} says that {_WORDS[outcome]}" + (f": {detail}" if detail else "")
    await calls.settle(work, call, _STATES[outcome], detail=told, settled_by=who.user_id)
    facts = {"action": call.action, "outcome": outcome.value, "has_detail": detail is not None}
    await audit.record(work, who.workspace_id, who.user_id, "call.settled", call.id, **facts)
    return call_view(call, approval_id)


async def _check(session: AsyncSession, who: Principal, tool_call_id: str) -> None:
    theirs = may_settle(who)
    statement = (
        select(theirs)
        .select_from(ToolCall)
        .join(Conversation, Conversation.id == ToolCall.conversation_id)
        .where(ToolCall.id == tool_call_id, or_(theirs, sees_conversation(who)))
    )
    may = (await session.execute(statement)).scalar_one_or_none()
    if may is None:
        message = "There is no such tool call."
        raise NotFound(message)
    if not may:
        message = "You may not say what became of this one."
        raise NotAllowed(message)
