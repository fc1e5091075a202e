"""The lease of a conversation: one turn at a time, handed on in order, each holder fenced by an epoch."""

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import LeaseLost, NotFound
from core.events import TurnStarted
from core.store import outbox, streams
from core.store.viewing import turn_view
from core.store.work import Work
from core.tables.talk import Conversation
from core.tables.work import Turn
from core.values import TurnState


async def lock_conversation(session: AsyncSession, conversation_id: str) -> Conversation:
    """Lock and read a conversation; every change of turns begins here."""
    statement = (
        select(Conversation)
        .where(Conversation.id == conversation_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    conversation = (await session.execute(statement)).scalar_one_or_none()
    if conversation is None:
        message = "There is no such conversation."
        raise NotFound(message)
    return conversation


async def lock_turn(session: AsyncSession, turn_id: str) -> tuple[Conversation, Turn]:
    """Lock a turn's conversation, then the turn."""
    found = (await session.execute(select(Turn.conversation_id).where(Turn.id == turn_id))).scalar_one_or_none()
    if found is None:
        message = "There is no such turn."
        raise NotFound(message)
    conversation = await lock_conversation(session, found)
    statement = select(Turn).where(Turn.id == turn_id).with_for_update().execution_options(populate_existing=True)
    return conversation, (await session.execute(statement)).scalar_one()


def check_held(active_turn_id: str | None, lease_epoch: int, turn: Turn, epoch: int) -> None:
    """Raise LeaseLost unless the turn runs and holds its conversation under this epoch."""
    held = active_turn_id == turn.id and lease_epoch == epoch
    if not held or turn.state != TurnState.RUNNING:
        message = "The conversation has gone on without this attempt."
        raise LeaseLost(message)


async def take(work: Work, conversation: Conversation, turn: Turn) -> None:
    """Give a free conversation to the turn, under a new epoch. The caller writes the event."""
    at = now()
    epoch = conversation.lease_epoch + 1
    values = {"active_turn_id": turn.id, "lease_epoch": epoch}
    await work.session.execute(update(Conversation).where(Conversation.id == conversation.id).values(**values))
    conversation.active_turn_id, conversation.lease_epoch = turn.id, epoch
    turn.state = TurnState.RUNNING
    turn.lease_epoch = epoch
    turn.wants_lease = False
    turn.started_at = turn.started_at or at


async def give_up(work: Work, conversation: Conversation, turn: Turn) -> None:
    """Free the conversation if the turn holds it, and hand it on: to parked turns first, then in queue order."""
    if conversation.active_turn_id != turn.id:
        return
    await work.session.execute(
        update(Conversation).where(Conversation.id == conversation.id).values(active_turn_id=None)
    )
    conversation.active_turn_id = None
    await work.session.flush()
    following = await _next_turn(work.session, conversation.id)
    if following is None:
        return
    parked = following.state == TurnState.WAITING
    await take(work, conversation, following)
    await streams.append(work, conversation.id, TurnStarted(turn=turn_view(following)))
    if parked:
        body = {"turn_id": following.id, "epoch": following.lease_epoch}
        outbox.put(work, outbox.WAKE_TURN, f"{following.id}:{following.lease_epoch}", body)
    else:
        ask_to_start(work, following)


def ask_to_start(work: Work, turn: Turn, *, delay: timedelta = timedelta()) -> None:
    """Write the outbox row that starts the turn's workflow."""
    body = {"turn_id": turn.id, "conversation_id": turn.conversation_id, "lease_epoch": turn.lease_epoch}
    outbox.put(work, outbox.START_TURN, turn.id, body, delay=delay)


async def _next_turn(session: AsyncSession, conversation_id: str) -> Turn | None:
    parked = (
        select(Turn)
        .where(Turn.conversation_id == conversation_id, Turn.state == TurnState.WAITING, Turn.wants_lease)
        .order_by(Turn.place)
        .limit(1)
    )
    queued = (
        select(Turn)
        .where(Turn.conversation_id == conversation_id, Turn.state == TurnState.QUEUED)
        .order_by(Turn.place)
        .limit(1)
    )
    for statement in (parked, queued):
        turn = (await session.execute(statement)).scalar_one_or_none()
        if turn is not None:
            return turn
    return None
