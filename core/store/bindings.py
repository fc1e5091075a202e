"""Bindings in SQL: which conversation a group or thread of a channel talks in."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.ids import new_id
from core.store.work import Work
from core.tables.talk import Binding, Conversation


async def of_thread(session: AsyncSession, channel: str, account: str, thread: str) -> str | None:
    """Give the conversation of a thread; None when it has none, or it was deleted."""
    statement = (
        select(Binding.conversation_id)
        .join(Conversation, Conversation.id == Binding.conversation_id)
        .where(Binding.channel == channel, Binding.account == account, Binding.thread == thread)
        .where(Conversation.deleted_at.is_(None))
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def bind(
    work: Work, channel: str, account: str, thread: str, conversation_id: str, *, mirrors: bool = True
) -> None:
    """Tie a thread to a conversation instead of any other. `mirrors`: what is said elsewhere is told there too."""
    statement = select(Binding).where(Binding.channel == channel, Binding.account == account, Binding.thread == thread)
    row = (await work.session.execute(statement.with_for_update())).scalar_one_or_none()
    if row is None:
        row = Binding(
            id=new_id("bnd"),
            conversation_id=conversation_id,
            channel=channel,
            account=account,
            thread=thread,
            created_at=now(),
        )
    row.conversation_id, row.mirrors = conversation_id, mirrors
    work.session.add(row)
    await work.session.flush()


async def untie(work: Work, channel: str, account: str, thread: str | None) -> None:
    """Tie a thread to nothing any more: what was said in its conversation is not told there."""
    statement = delete(Binding).where(Binding.channel == channel, Binding.account == account, Binding.thread == thread)
    await work.session.execute(statement)


async def turn_mirror(work: Work, channel: str, account: str, thread: str, conversation_id: str, *, keep: bool) -> bool:
    """Mirror a conversation in a thread, or, when that is so, no more; whether it is mirrored now.

    `keep`: the thread's binding stays though it mirrors no more, for it says which conversation the thread has.
    """
    statement = select(Binding).where(Binding.channel == channel, Binding.account == account, Binding.thread == thread)
    row = (await work.session.execute(statement.with_for_update())).scalar_one_or_none()
    mirrors = row is None or not row.mirrors or row.conversation_id != conversation_id
    if mirrors or keep:
        await bind(work, channel, account, thread, conversation_id, mirrors=mirrors)
    elif row is not None:
        await work.session.delete(row)
    return mirrors
