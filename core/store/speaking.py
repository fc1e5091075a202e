"""Replies in SQL: how a turn ended is told on the channel where it was asked, and in threads that mirror the talk."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.permissions import Door
from core.store import deliveries, messages
from core.store.deliveries import Wanted
from core.store.work import Work
from core.tables.connect import Inbound
from core.tables.identity import Identity
from core.tables.people import User
from core.tables.talk import Binding, Conversation, Message
from core.tables.work import ToolCall, Turn
from core.values import TurnState, Value

_OURS = frozenset(door.value for door in Door)


async def reply(work: Work, turn: Turn) -> None:
    """Hand out the end of a turn, whatever it is, in the transaction that ends it."""
    for channel, account, thread in await threads_of(work.session, turn):
        await deliveries.put(work, wanted(turn, deliveries.REPLY, channel, account, thread))
        for row in await deliveries.of_turn(work.session, deliveries.PROGRESS, turn.id):
            await deliveries.want_edit(work, row)


class Spoken(Value):
    """How a turn ended, for whoever hears it: what was asked by whom where, what was answered, what went wrong."""

    state: TurnState
    question: str
    asker: str
    door: str
    text: str
    problem: str | None
    asked_at: tuple[str, str, str] | None


async def spoken(session: AsyncSession, turn_id: str) -> Spoken | None:
    """Give how a turn stands; None when its conversation was deleted."""
    turn = await session.get(Turn, turn_id)
    conversation = await session.get(Conversation, turn.conversation_id) if turn else None
    if turn is None or conversation is None or conversation.deleted_at is not None:
        return None
    asker = await session.get(User, turn.user_id)
    question = await session.get(Message, turn.message_id)
    answer = await session.get(Message, messages.reply_id(turn.id))
    return Spoken(
        state=TurnState(turn.state),
        question=question.text if question else "",
        asker=asker.name if asker else "",
        door=turn.door,
        text=answer.text if answer else "",
        problem=turn.error_detail,
        asked_at=await asked_thread(session, turn),
    )


async def under_way(session: AsyncSession, limit: int = 200) -> list[Turn]:
    """Give the running turns that were asked on channels."""
    statement = select(Turn).where(Turn.state == TurnState.RUNNING, Turn.door.not_in(sorted(_OURS))).limit(limit)
    return list((await session.execute(statement)).scalars())


async def steps(session: AsyncSession, turn_id: str) -> list[tuple[str, str]]:
    """Give the action and the state of each call of a turn, in order."""
    statement = select(ToolCall.action, ToolCall.state).where(ToolCall.turn_id == turn_id)
    rows = await session.execute(statement.order_by(ToolCall.round, ToolCall.place))
    return [(action, state) for action, state in rows]


async def show_progress(work: Work, turn: Turn, at: tuple[str, str, str]) -> None:
    """See to it that the one message about a turn's progress shows its calls as they are; without any there is none."""
    seen = [list(step) for step in await steps(work.session, turn.id)]
    if not seen:
        return
    row = await deliveries.put(work, wanted(turn, deliveries.PROGRESS, *at))
    if row.body.get("seen") != seen:
        row.body = row.body | {"seen": seen}
        if row.state == deliveries.SENT:
            await deliveries.want_edit(work, row)


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
    message = await session.get(Message, turn.message_id)
    account, _, event_id = (message.client_message_id or "").partition(":") if message else ("", "", "")
    statement = select(Inbound.thread).where(
        Inbound.channel == turn.door, Inbound.account == account, Inbound.event_id == event_id
    )
    thread = (await session.execute(statement)).scalar_one_or_none()
    if thread is None:
        return None
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
