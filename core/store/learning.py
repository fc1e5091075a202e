"""What is learnt from a turn, in SQL: read once its reply is there, marked as done by the reply's suggestions."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.events import MessageUpdated
from core.store import lease, messages, streams
from core.store.usage import SETTLED
from core.store.viewing import message_view
from core.store.work import Work
from core.tables.cost import Usage
from core.tables.talk import Conversation, Message
from core.tables.work import ToolCall, Turn


@dataclass(frozen=True)
class Lesson:
    """A finished turn: what was said, what was answered, what was done."""

    turn: Turn
    message: Message
    reply: Message
    calls: Sequence[ToolCall]


async def load(session: AsyncSession, turn_id: str) -> Lesson | None:
    """Give a turn that is still to be learnt from; None when that is done, or what was said is forgotten."""
    statement = (
        select(Turn, Message)
        .join(Message, Message.id == Turn.message_id)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .where(Turn.id == turn_id, Conversation.deleted_at.is_(None), Message.author_id == Turn.user_id)
    )
    found = (await session.execute(statement)).one_or_none()
    reply = await session.get(Message, messages.reply_id(turn_id))
    if found is None or reply is None or _is_done(found[1], reply):
        return None
    calls = select(ToolCall).where(ToolCall.turn_id == turn_id).order_by(ToolCall.round, ToolCall.place)
    return Lesson(found[0], found[1], reply, (await session.execute(calls)).scalars().all())


async def finish(work: Work, turn_id: str, suggestions: Sequence[str]) -> bool:
    """Put suggestions on the turn's reply and tell the room; False when that, or forgetting, came before.

    Locks the conversation: what is learnt goes into the same transaction.
    """
    turn = await work.session.get_one(Turn, turn_id)
    conversation = await lease.lock_conversation(work.session, turn.conversation_id)
    said = await work.session.get_one(Message, turn.message_id, populate_existing=True)
    reply = await work.session.get_one(Message, messages.reply_id(turn_id), populate_existing=True)
    if conversation.deleted_at is not None or _is_done(said, reply):
        return False
    reply.suggestions = list(suggestions)
    await work.session.flush()
    if suggestions:
        streams.add(work, conversation, MessageUpdated(message=message_view(reply)))
    return True


async def answered_by(session: AsyncSession, turn_id: str, purpose: str) -> str:
    """Give the name of the model that answered the newest question of this purpose aside of a turn."""
    statement = (
        select(Usage.model)
        .where(Usage.turn_id == turn_id, Usage.purpose == purpose, Usage.state == SETTLED)
        .order_by(Usage.id.desc())
        .limit(1)
    )
    return (await session.execute(statement)).scalar_one_or_none() or ""


def _is_done(said: Message, reply: Message) -> bool:
    return reply.suggestions is not None or said.forgotten_at is not None or reply.forgotten_at is not None
