"""Replies in SQL: how a turn ended is told on the channel where it was asked, and in threads that mirror the talk."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.permissions import Door
from core.store import deliveries
from core.store.deliveries import Wanted
from core.store.work import Work
from core.tables.connect import Inbound
from core.tables.identity import Identity
from core.tables.talk import Binding, Message
from core.tables.work import Turn

_OURS = frozenset(door.value for door in Door)


async def reply(work: Work, turn: Turn) -> None:
    """Hand out the end of a turn, whatever it is, in the transaction that ends it."""
    for channel, account, thread in await threads_of(work.session, turn):
        await deliveries.put(work, wanted(turn, deliveries.REPLY, channel, account, thread))


def wanted(turn: Turn, kind: str, channel: str, account: str, thread: str) -> Wanted:
    """Give a delivery about a turn."""
    return Wanted(
        workspace_id=turn.workspace_id,
        kind=kind,
        ref=turn.id,
        channel=channel,
        account=account,
        thread=thread,
        body={"turn_id": turn.id},
        user_id=turn.user_id,
        conversation_id=turn.conversation_id,
        message_id=turn.message_id,
    )


async def threads_of(session: AsyncSession, turn: Turn) -> list[tuple[str, str, str]]:
    """Give where a turn is heard, as channel, account and thread.

    That is the thread in which it was asked; else the asker's private chat, when it was asked on that channel; and
    every thread that mirrors the conversation, wherever it was asked.
    """
    bound = list(
        (await session.execute(select(Binding).where(Binding.conversation_id == turn.conversation_id))).scalars()
    )
    if turn.door in _OURS:
        return [(one.channel, one.account, one.thread) for one in bound if one.mirrors]
    asked_in = await asked_thread(session, turn)
    found = {(one.channel, one.account, one.thread) for one in bound if one.mirrors}
    return sorted(found | ({asked_in} if asked_in else set()))


async def asked_thread(session: AsyncSession, turn: Turn) -> tuple[str, str, str] | None:
    """Give the thread of a channel in which a turn was asked; None when it was not, or may hear nothing any more."""
    said = (
        select(Inbound.account, Inbound.thread)
        .join(Message, Message.client_message_id == Inbound.event_id)
        .where(Message.id == turn.message_id, Inbound.channel == turn.door)
    )
    found = (await session.execute(said.limit(1))).one_or_none()
    if found is None:
        return None
    account, thread = found
    at = (turn.door, account, thread)
    linked = select(Identity.id).where(
        Identity.user_id == turn.user_id,
        Identity.channel == turn.door,
        Identity.account == account,
        Identity.thread == thread,
    )
    if (await session.execute(linked.limit(1))).first() is not None:
        return at
    bound = select(Binding.id).where(
        Binding.conversation_id == turn.conversation_id,
        Binding.channel == turn.door,
        Binding.account == account,
        Binding.thread == thread,
    )
    return at if (await session.execute(bound.limit(1))).first() is not None else None
