"""The lease of a conversation: one turn at a time, handed on in order, each holder fenced by an epoch."""

from datetime import timedelta

from sqlalchemy import and_, or_, select
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
    """Lock a turn's conversation, then the turn (the order in which the statement names them)."""
    statement = (
        select(Conversation, Turn)
        .join(Turn, Turn.conversation_id == Conversation.id)
        .where(Turn.id == turn_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        message = "There is no such turn."
        raise NotFound(message)
    return found


def check_held(active_turn_id: str | None, lease_epoch: int, turn: Turn, epoch: int) -> None:
    """Raise LeaseLost unless the turn runs and holds its conversation under this epoch."""
    held = active_turn_id == turn.id and lease_epoch == epoch
    if not held or turn.state != TurnState.RUNNING:
        message = "The conversation has gone on without this attempt."
        raise LeaseLost(message)


def take(conversation: Conversation, turn: Turn) -> None:
    """Give a free conversation to the turn, under a new epoch. The caller writes the event."""
    at = now()
    epoch = conversation.lease_epoch + 1
    conversation.active_turn_id, conversation.lease_epoch = turn.id, epoch
    turn.state = TurnState.RUNNING
    turn.lease_epoch = epoch
    turn.wants_lease = False
    turn.started_at = turn.started_at or at


def let_go(conversation: Conversation, turn: Turn) -> bool:
    """Free the conversation if the turn holds it, for whoever takes it in this very transaction; whether it did."""
    if conversation.active_turn_id != turn.id:
        return False
    conversation.active_turn_id = None
    return True


async def give_up(work: Work, conversation: Conversation, turn: Turn) -> None:
    """Free the conversation if the turn holds it, and hand it on: to parked turns first, then in queue order."""
    if not let_go(conversation, turn):
        return
    following = await _next_turn(work.session, conversation.id)
    if following is None:
        return
    parked = following.state == TurnState.WAITING
    take(conversation, following)
    streams.add(work, conversation, TurnStarted(turn=turn_view(following)))
    if parked:
        body = {"turn_id": following.id, "epoch": following.lease_epoch}
        outbox.put(work, outbox.WAKE_TURN, f"{following.id}:{following.lease_epoch}", body)
    else:
        ask_to_start(work, following)


def ask_to_start(work: Work, turn: Turn, *, delay: timedelta = timedelta()) -> None:
    """Write the outbox row that starts the turn's workflow."""
    body = {
        "turn_id": turn.id,
        "conversation_id": turn.conversation_id,
        "lease_epoch": turn.lease_epoch,
        "max_rounds": turn.max_rounds,
    }
    outbox.put(work, outbox.START_TURN, turn.id, body, delay=delay)


async def _next_turn(session: AsyncSession, conversation_id: str) -> Turn | None:
    parked = and_(Turn.state == TurnState.WAITING, Turn.wants_lease)
    statement = (
        select(Turn)
        .where(Turn.conversation_id == conversation_id, or_(parked, Turn.state == TurnState.QUEUED))
        .order_by(Turn.wants_lease.desc(), Turn.place)
        .limit(1)
    )
    return (await session.execute(statement)).scalar_one_or_none()
