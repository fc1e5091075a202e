"""Rounds in SQL: a model call's answer is stored once, with all that follows from it, in one commit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.events import DurableEvent, ToolProposed, TurnFinished
from core.messages import PlannedCall
from core.store import approvals, calls, changes, lease, messages, outbox, partials, speaking, streams, turns, usage
from core.store.usage import Charge, Figures
from core.store.viewing import call_view, turn_view
from core.store.work import Work
from core.tables.consent import Approval
from core.tables.work import Round, ToolCall, Turn
from core.values import CallState, CallVerdict, TurnState, Value
from core.views import ConsensusView

SEPARATOR = "\n\n"


class Answer(Value):
    """What one model call gave. `attempt` and `lease_epoch` fence the commit; `said` is the whole reply so far.

    `was_kept`: some of it may be stored as partial text. `usage_id` is the call's reservation, if any. `learn`
    and `sum_up` are to be done after the reply; what may be said next is known (`suggestions`), or left to learning.
    `profile` is who the asker was to the model; it is kept with the reply.
    """

    turn_id: str
    number: int
    attempt: int
    lease_epoch: int
    text: str
    said: str
    was_kept: bool
    charge: Charge
    figures: Figures
    usage_id: str | None
    consensus: ConsensusView | None = None
    intent: str | None = None
    confidence: float | None = None
    profile: dict[str, Any] | None = None
    learn: bool = False
    sum_up: bool = False
    suggestions: tuple[str, ...] | None = None
    started_at: datetime


async def finish(work: Work, answer: Answer) -> None:
    """Commit the answer that ends the turn: reply, events, usage, the lease handed on. Raises LeaseLost."""
    conversation, turn = await lease.lock_turn(work.session, answer.turn_id)
    _check(conversation.active_turn_id, conversation.lease_epoch, turn, answer)
    await _store(work, turn, answer)
    turn.state, turn.ended_at = TurnState.FINISHED, now()
    if answer.was_kept:
        await partials.take(work.session, turn.id)
    await outbox.remove(work.session, outbox.START_TURN, turn.id)
    first = streams.advance(conversation, 2)
    figures = answer.figures
    totals = await usage.of_turn(work.session, turn.id) if answer.number else usage.of_call(figures)
    message = await messages.add_reply(
        work,
        turn,
        first,
        answer.said,
        model=figures.model,
        usage=totals,
        suggestions=answer.suggestions,
        profile=answer.profile,
    )
    streams.put(work, conversation.id, first + 1, TurnFinished(turn=turn_view(turn), message=message))
    await speaking.reply(work, turn)
    conversation.updated_at = conversation.last_activity_at = now()
    changes.note(work, "turn", turn.id)
    if answer.learn or answer.sum_up:
        body = {"turn_id": turn.id, "learn": answer.learn, "sum_up": answer.sum_up}
        outbox.put(work, outbox.REFLECT, turn.id, body)
    await lease.give_up(work, conversation, turn)


async def propose(work: Work, answer: Answer, planned: Sequence[tuple[ToolCall, Approval | None]]) -> None:
    """Commit a round that asks for calls: each with its verdict and, where people are asked, its approval."""
    conversation, turn = await lease.lock_turn(work.session, answer.turn_id)
    _check(conversation.active_turn_id, conversation.lease_epoch, turn, answer)
    await _store(work, turn, answer)
    turn.attempt += 1
    if answer.said:
        await partials.keep(work.session, turn.id, turn.attempt, answer.said)
    await outbox.remove(work.session, outbox.START_TURN, turn.id)
    work.session.add_all([call for call, _ in planned])
    await work.session.flush()
    work.session.add_all([approval for _, approval in planned if approval])
    await work.session.flush()
    events: list[DurableEvent] = [
        ToolProposed(call=call_view(call, approval.id if approval else None)) for call, approval in planned
    ]
    streams.add(work, conversation, *events)


def _check(active_turn_id: str | None, lease_epoch: int, turn: Turn, answer: Answer) -> None:
    lease.check_held(active_turn_id, lease_epoch, turn, answer.lease_epoch)
    turns.check_attempt(turn, answer.attempt)


async def _store(work: Work, turn: Turn, answer: Answer) -> None:
    figures = answer.figures
    work.session.add(
        Round(
            turn_id=turn.id,
            number=answer.number,
            attempt=answer.attempt,
            text=answer.text,
            model=figures.model,
            input_tokens=figures.input_tokens,
            output_tokens=figures.output_tokens,
            consensus=answer.consensus.model_dump(mode="json") if answer.consensus else None,
            started_at=answer.started_at,
            ended_at=now(),
        )
    )
    if answer.usage_id is not None:
        await usage.settle(work, answer.usage_id, figures)
    else:
        usage.record(work, answer.charge, figures)
    if answer.intent is not None:
        turn.intent, turn.confidence = answer.intent, answer.confidence


async def planned(session: AsyncSession, turn_id: str, number: int, timeouts: dict[str, float]) -> list[PlannedCall]:
    """Give a stored round's calls that are to be made or asked. `timeouts`: seconds by action."""
    statement = (
        select(ToolCall, Approval)
        .outerjoin(Approval, calls.STANDING)
        .where(ToolCall.turn_id == turn_id, ToolCall.round == number)
        .where(ToolCall.state.in_([CallState.PROPOSED, CallState.AWAITING, CallState.RUNNING]))
        .order_by(ToolCall.place)
    )
    return [
        PlannedCall(
            tool_call_id=call.id,
            verdict=CallVerdict(call.verdict),
            timeout_seconds=timeouts.get(call.action, 30.0),
            approval=approvals.as_input(approval) if approval is not None else None,
        )
        for call, approval in (await session.execute(statement))
    ]
