"""Read receipts in SQL: how far each person has read a conversation; it only goes forward."""

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.events import MemberRead
from core.permissions import Principal
from core.store import lease, messages, streams
from core.store.work import Work
from core.tables.talk import Conversation, Message, Participant
from core.views import ReadView, UnreadView


async def read(work: Work, who: Principal, conversation_id: str, position: int) -> ReadView:
    """Note that the person has read up to a position, at most up to the newest message; tell the room if that is news.

    Raises NotFound.
    """
    conversation = await lease.lock_conversation(work.session, conversation_id)
    await messages.check_visible(work.session, who, conversation_id)
    newest = select(func.max(Message.position)).where(Message.conversation_id == conversation_id)
    last = (await work.session.execute(newest)).scalar_one() or 0
    row = await work.session.get_one(Participant, (conversation_id, who.user_id), populate_existing=True)
    upto = min(position, last)
    if upto > row.read_position:
        row.read_position, row.read_at = upto, now()
        await work.session.flush()
        streams.add(work, conversation, MemberRead(read=_view(row)))
    return _view(row)


async def readers(session: AsyncSession, who: Principal, conversation_id: str) -> list[ReadView]:
    """Give how far each person has read who takes part, the farthest first. Raises NotFound."""
    await messages.check_visible(session, who, conversation_id)
    statement = (
        select(Participant)
        .where(Participant.conversation_id == conversation_id)
        .order_by(Participant.read_position.desc(), Participant.user_id)
    )
    return [_view(row) for row in (await session.execute(statement)).scalars()]


async def unread(session: AsyncSession, who: Principal) -> list[UnreadView]:
    """Give the person's conversations in which others, or the assistant, said what the person has not read yet."""
    of_others = or_(Message.author_id.is_(None), Message.author_id != who.user_id)
    statement = (
        select(Conversation.id, func.count(Message.id))
        .join(Participant, and_(Participant.conversation_id == Conversation.id, Participant.user_id == who.user_id))
        .join(Message, and_(Message.conversation_id == Conversation.id, Message.position > Participant.read_position))
        .where(Conversation.workspace_id == who.workspace_id, Conversation.deleted_at.is_(None), of_others)
        .group_by(Conversation.id)
        .order_by(func.max(Message.created_at).desc(), Conversation.id)
    )
    return [UnreadView(conversation_id=one, unread=count) for one, count in (await session.execute(statement)).all()]


def _view(row: Participant) -> ReadView:
    at = row.read_at or row.joined_at
    return ReadView(conversation_id=row.conversation_id, user_id=row.user_id, position=row.read_position, at=at)
