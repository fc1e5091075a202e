"""Threads in SQL: replies that hang on one message of a conversation."""

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.permissions import Principal
from core.store import messages
from core.store.viewing import message_view
from core.tables.talk import Conversation, Message
from core.views import MessageView, ThreadView


async def root_of(session: AsyncSession, conversation: Conversation, reply_to_id: str | None) -> str | None:
    """Give the message that a reply's thread hangs on; None when it is no reply.

    Raises NotFound unless what it replies to is in the version of the conversation that is shown.
    """
    if reply_to_id is None:
        return None
    shown = await messages.in_version(session, conversation.id, conversation.active_branch_id)
    statement = select(Message).where(Message.id == reply_to_id, Message.conversation_id == conversation.id, shown)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        message = "There is no such message to reply to."
        raise NotFound(message)
    return row.thread_id or row.id


async def page(
    session: AsyncSession, who: Principal, conversation_id: str, *, limit: int, cursor: str | None
) -> tuple[list[ThreadView], str | None, int]:
    """Give the threads of the version that is shown, newest root first; the next cursor; the true total.

    Raises NotFound.
    """
    await messages.check_visible(session, who, conversation_id)
    shown_here = await messages.in_version(session, conversation_id, messages.ACTIVE)
    grouped = (
        select(Message.thread_id, func.count(), func.max(Message.created_at))
        .where(Message.conversation_id == conversation_id, Message.thread_id.is_not(None), shown_here)
        .group_by(Message.thread_id)
        .order_by(Message.thread_id.desc())
    )
    total = (await session.execute(select(func.count()).select_from(grouped.subquery()))).scalar_one()
    if cursor is not None:
        grouped = grouped.where(Message.thread_id < cursor)
    rows = (await session.execute(grouped.limit(limit + 1))).all()
    shown = [
        ThreadView(id=str(thread_id), conversation_id=conversation_id, messages=count, last_at=last_at)
        for thread_id, count, last_at in rows[:limit]
    ]
    return shown, shown[-1].id if len(rows) > limit else None, total


async def messages_of(
    session: AsyncSession, who: Principal, conversation_id: str, thread_id: str, *, before: int | None, limit: int
) -> tuple[list[MessageView], int | None, int]:
    """Give the newest messages of a thread in the version shown before a position, oldest first, with its root.

    Raises NotFound.
    """
    await messages.check_visible(session, who, conversation_id)
    shown_here = await messages.in_version(session, conversation_id, messages.ACTIVE)
    in_thread = or_(Message.thread_id == thread_id, Message.id == thread_id)
    of_it = (Message.conversation_id == conversation_id, in_thread, shown_here)
    statement = select(Message).where(*of_it).order_by(Message.position.desc()).limit(limit + 1)
    if before is not None:
        statement = statement.where(Message.position < before)
    rows = list((await session.execute(statement)).scalars())
    total = (await session.execute(select(func.count()).select_from(Message).where(*of_it))).scalar_one()
    if not total:
        message = "There is no such thread."
        raise NotFound(message)
    shown = rows[:limit]
    return [message_view(row) for row in reversed(shown)], shown[-1].position if len(rows) > limit else None, total
