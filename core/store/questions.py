"""What services asked people in the middle of calls, in SQL: each time (a leg) with its questions in order."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.events import ToolProposed, ToolStarted
from core.ids import derived_id
from core.store import approvals, calls, streams
from core.store.viewing import call_view
from core.store.work import Work
from core.tables.consent import Approval
from core.tables.work import CallQuestion, Intent, ToolCall
from core.values import ApprovalState, CallState

ACCEPT, DECLINE, CANCEL = "accept", "decline", "cancel"


async def newest_leg(session: AsyncSession, tool_call_id: str) -> list[CallQuestion]:
    """Give what a call's service asked last, in order; nothing when it never asked."""
    last = select(func.max(CallQuestion.leg)).where(CallQuestion.tool_call_id == tool_call_id).scalar_subquery()
    statement = select(CallQuestion).where(CallQuestion.tool_call_id == tool_call_id, CallQuestion.leg == last)
    statement = statement.order_by(CallQuestion.place).execution_options(populate_existing=True)
    return list((await session.execute(statement)).scalars())


async def add_leg(
    work: Work, call: ToolCall, leg: int, questions: Sequence[tuple[str, dict[str, Any], str | None]], state: str | None
) -> list[CallQuestion]:
    """Keep what a service asks: `(key, body, answer)` each, the answer None where people are to give it."""
    rows = [
        CallQuestion(
            id=derived_id("que", call.id, leg, place),
            tool_call_id=call.id,
            leg=leg,
            place=place,
            key=key,
            state=state if place == 0 else None,
            body=body,
            answer=answer,
            created_at=now(),
        )
        for place, (key, body, answer) in enumerate(questions)
    ]
    work.session.add_all(rows)
    await work.session.flush()
    return rows


async def ask(work: Work, call: ToolCall, question: CallQuestion, approval: Approval) -> None:
    """Put a question to people: their request is shown by its workflow, and the call waits."""
    question.approval_id = approval.id
    call.state = CallState.AWAITING
    work.session.add(approval)
    await work.session.flush()
    consent = await calls.approval_of(work.session, call.id)
    view = call_view(call, consent.id if consent else None)
    await streams.append(work, call.conversation_id, ToolProposed(call=view))


async def go_on(work: Work, call: ToolCall, intent: Intent, leg: Sequence[CallQuestion], attempt: int) -> None:
    """Let the call go on with its answers: only this attempt may send them, until a newer one comes."""
    intent.attempt = attempt
    call.state = CallState.RUNNING
    for question in leg:
        question.sent_at = question.sent_at or now()
    await work.session.flush()
    consent = await calls.approval_of(work.session, call.id)
    await streams.append(work, call.conversation_id, ToolStarted(call=call_view(call, consent.id if consent else None)))


async def of_approval(session: AsyncSession, approval_id: str) -> CallQuestion | None:
    """Give the question that people answer by this request."""
    statement = select(CallQuestion).where(CallQuestion.approval_id == approval_id)
    return (await session.execute(statement)).scalar_one_or_none()


async def answers(session: AsyncSession, leg: Sequence[CallQuestion]) -> dict[str, dict[str, Any]]:
    """Give what people wrote to the questions that they accepted, by key."""
    written: dict[str, dict[str, Any]] = {}
    for question in leg:
        if question.answer == ACCEPT and question.approval_id is not None:
            written[question.key] = (await session.get_one(Approval, question.approval_id)).arguments
    return written


async def is_open(session: AsyncSession, approval_id: str) -> Approval | None:
    """Give the request if people may still answer it."""
    row = await approvals.lock(session, approval_id)
    return row if ApprovalState(row.state).is_open else None
