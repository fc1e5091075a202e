"""Turns in SQL: begun, parked, resumed, restarted, ended; each ending is a compare-and-set with its one event."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import LeaseLost, NotFound
from core.events import DurableEvent, TurnFailed, TurnRestarted, TurnStarted, TurnStopped, TurnWaiting
from core.messages import LeaseAnswer, TurnEnding, TurnStep
from core.permissions import Principal
from core.store import approvals, changes, consents, lease, messages, outbox, partials, speaking, streams
from core.store.viewing import turn_view
from core.store.visibility import sees_conversation
from core.store.work import Work
from core.tables.talk import Conversation
from core.tables.work import Turn
from core.values import TurnState
from core.views import MessageView, TurnView

_OPEN = [state for state in TurnState if not state.is_terminal]


async def one(session: AsyncSession, who: Principal, turn_id: str) -> TurnView:
    """Give one turn that the person sees; raises NotFound."""
    return turn_view(await visible(session, who, turn_id))


async def of_conversation(
    session: AsyncSession, who: Principal, conversation_id: str, limit: int = 50
) -> list[TurnView]:
    """Give a conversation's turns, newest first."""
    statement = (
        select(Turn)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .where(Turn.conversation_id == conversation_id, sees_conversation(who), Conversation.deleted_at.is_(None))
        .order_by(Turn.place.desc())
        .limit(limit)
    )
    return [turn_view(row) for row in (await session.execute(statement)).scalars()]


async def mark_untrusted(session: AsyncSession, turn_id: str) -> datetime:
    """Keep that a turn has read what outsiders wrote, and since when."""
    turn = await session.get_one(Turn, turn_id, populate_existing=True)
    turn.untrusted_at = turn.untrusted_at or now()
    return turn.untrusted_at


async def open_of(session: AsyncSession, conversation_id: str) -> Sequence[str]:
    """Give the ids of a conversation's turns that have not ended, the one that holds it last.

    In this order stopping them all begins none of the others. The caller has checked who asks, and holds the lock.
    """
    statement = (
        select(Turn.id)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .where(Turn.conversation_id == conversation_id, Turn.state.in_(_OPEN))
        .order_by(func.coalesce(Conversation.active_turn_id, "") == Turn.id, Turn.place)
    )
    return (await session.execute(statement)).scalars().all()


async def count(session: AsyncSession, conversation_id: str) -> int:
    """Count a conversation's turns. The caller has checked who asks."""
    statement = select(func.count()).select_from(Turn).where(Turn.conversation_id == conversation_id)
    return (await session.execute(statement)).scalar_one()


async def visible(session: AsyncSession, who: Principal, turn_id: str) -> Turn:
    """Give the row of a turn that the person sees; raises NotFound."""
    statement = (
        select(Turn)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .where(Turn.id == turn_id, sees_conversation(who), Conversation.deleted_at.is_(None))
    )
    turn = (await session.execute(statement)).scalar_one_or_none()
    if turn is None:
        message = "There is no such turn."
        raise NotFound(message)
    return turn


async def restart(work: Work, turn_id: str, epoch: int, offset: int) -> int:
    """Begin the model call again after it was lost or failed; returns the new attempt. Raises LeaseLost."""
    conversation, turn = await lease.lock_turn(work.session, turn_id)
    lease.check_held(conversation.active_turn_id, conversation.lease_epoch, turn, epoch)
    turn.attempt += 1
    await work.session.flush()
    await partials.cut(work.session, turn.id, turn.attempt, offset)
    await streams.append(work, conversation.id, TurnRestarted(turn=turn_view(turn), offset=offset))
    return turn.attempt


def check_attempt(turn: Turn, attempt: int) -> None:
    """Raise LeaseLost when a newer attempt has begun."""
    if turn.attempt != attempt:
        message = "A newer attempt of this model call has begun."
        raise LeaseLost(message)


async def park(work: Work, step: TurnStep) -> None:
    """Let others talk while only people's decisions are missing; a second call changes nothing."""
    conversation, turn = await lease.lock_turn(work.session, step.turn_id)
    if turn.state != TurnState.RUNNING or turn.lease_epoch != step.lease_epoch:
        return
    turn.state = TurnState.WAITING
    await work.session.flush()
    await streams.append(work, conversation.id, TurnWaiting(turn=turn_view(turn)))
    await lease.give_up(work, conversation, turn)


async def resume(work: Work, step: TurnStep) -> LeaseAnswer:
    """Take the conversation again when it is free, else ask for it: `wake_turn` tells when."""
    conversation, turn = await lease.lock_turn(work.session, step.turn_id)
    if TurnState(turn.state).is_terminal:
        return LeaseAnswer(epoch=None, ended=True)
    if conversation.active_turn_id == turn.id:
        return LeaseAnswer(epoch=turn.lease_epoch)
    if conversation.active_turn_id is not None:
        turn.wants_lease = True
        return LeaseAnswer(epoch=None)
    lease.take(conversation, turn)
    await streams.append(work, conversation.id, TurnStarted(turn=turn_view(turn)))
    return LeaseAnswer(epoch=turn.lease_epoch)


async def fail(work: Work, ending: TurnEnding) -> None:
    """End a turn that could not answer; nothing happens when it has ended already."""
    conversation, turn = await lease.lock_turn(work.session, ending.turn_id)
    if TurnState(turn.state).is_terminal:
        return
    turn.error_code, turn.error_detail = ending.error_code, ending.error_detail
    await close(work, conversation, turn, TurnState.FAILED)
    still_asked = [row.id for row in await approvals.open_of_turn(work.session, turn.id)]
    if still_asked:
        body = {"turn_id": turn.id, "approval_ids": still_asked, "user_id": turn.user_id}
        outbox.put(work, outbox.STOP_TURN, turn.id, body)


async def stop(work: Work, who: Principal, turn_id: str, *, hand_on: bool = True) -> tuple[TurnView, bool]:
    """Stop a turn the person sees, now, in SQL; whether this call did it is the second answer.

    Without `hand_on` its conversation is free afterwards: the caller gives it to a turn of its own choice.
    """
    await visible(work.session, who, turn_id)
    conversation, turn = await lease.lock_turn(work.session, turn_id)
    state = TurnState(turn.state)
    if state.is_terminal:
        return turn_view(turn), False
    turn.stop_requested_at, turn.stopped_by = now(), who.user_id
    await outbox.remove(work.session, outbox.START_TURN, turn.id)
    await close(work, conversation, turn, TurnState.STOPPED, hand_on=hand_on)
    return turn_view(turn), state is not TurnState.QUEUED


async def close(work: Work, conversation: Conversation, turn: Turn, state: TurnState, *, hand_on: bool = True) -> None:
    """Write the one terminal event of a turn that gave no answer, keep its partial text, hand the lease on."""
    turn.state, turn.ended_at, turn.wants_lease = state, now(), False
    await consents.drop_unsent(work, turn.id)
    changes.note(work, "turn", turn.id)
    kept = await partials.take(work.session, turn.id)
    event_count = 2 if kept else 1
    first = await streams.reserve(work, conversation.id, event_count)
    message: MessageView | None = None
    if kept:
        message = await messages.add_reply(work, turn, first, kept, model=None, usage=None)
    streams.put(work, conversation.id, first + event_count - 1, _ending(turn, message))
    await speaking.reply(work, turn)
    if hand_on:
        await lease.give_up(work, conversation, turn)
    else:
        lease.let_go(conversation, turn)


def _ending(turn: Turn, message: MessageView | None) -> DurableEvent:
    if turn.state == TurnState.STOPPED:
        return TurnStopped(turn=turn_view(turn), message=message)
    return TurnFailed(turn=turn_view(turn), message=message)
