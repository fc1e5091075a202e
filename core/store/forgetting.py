"""Forgetting what was said: it stays in its conversation, and leaves the index, the summaries and all recall."""

import re
from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import NotAllowed, NotFound
from core.events import FactsChanged, MessageUpdated
from core.ids import new_id
from core.permissions import Principal
from core.store import changes, lease, messages, outbox, streams
from core.store.viewing import message_view
from core.store.visibility import sees_conversation
from core.store.work import Work
from core.tables.memory import Fact, Summary
from core.tables.people import Membership
from core.tables.talk import Conversation, Message
from core.tables.work import Turn
from core.values import TurnState
from core.views import MessageView

WRITTEN = "written"
"""The origin of a fact that its person put into words: it is no longer what a message said."""
_WHOSE = re.compile(r"^(?:the user(?:'s)?|my|our|i(?:'m| am)?)\s+", re.IGNORECASE)
_FEWEST_WORDS = 3
"""Fewer words in a row stand in too many messages that mean something else."""


class Whose(Protocol):
    """Somebody in a workspace."""

    @property
    def workspace_id(self) -> str:
        """The workspace."""

    @property
    def user_id(self) -> str:
        """The person."""


async def forget_message(work: Work, who: Principal, message_id: str) -> MessageView:
    """Never recall a message again, nor (when a person said it) the replies to it; facts learnt from it are removed.

    Whoever said it, or asked for it, may, and whose the conversation is. Raises NotFound, NotAllowed.
    """
    statement = (
        select(Message, Turn, Conversation.owner_id)
        .join(Turn, Turn.id == Message.turn_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Message.id == message_id, sees_conversation(who), Conversation.deleted_at.is_(None))
    )
    found = (await work.session.execute(statement)).one_or_none()
    if found is None:
        message = "There is no such message."
        raise NotFound(message)
    row, turn, owner_id = found
    if who.user_id not in {owner_id, row.author_id or turn.user_id}:
        message = "Only who said it, or whose conversation it is, may have it forgotten."
        raise NotAllowed(message)
    if row.author_id is not None:
        await _forget(work, row.conversation_id, await _answering(work.session, row.id), said=row.id)
        await _drop_learnt(work, row.id)
    else:
        await _forget(work, row.conversation_id, [turn], said=None)
    return message_view(await work.session.get_one(Message, message_id))


async def forget_said(work: Work, message_id: str, user_id: str) -> None:
    """Never recall a person's message again, nor the replies to it; nothing happens when it is not that person's."""
    row = await work.session.get(Message, message_id)
    if row is not None and row.author_id == user_id:
        await _forget(work, row.conversation_id, await _answering(work.session, row.id), said=row.id)


async def forget_repeats(work: Work, whose: Whose, text: str) -> None:
    """Never recall again what this person said, or was answered, that holds a fact's text word for word."""
    bare = _WHOSE.sub("", text.rstrip(" .!"))
    wanted = bare if len(bare.split()) >= _FEWEST_WORDS else text.rstrip(" .!")
    if len(wanted.split()) < _FEWEST_WORDS:
        return
    statement = (
        select(Message, Turn)
        .join(Turn, Turn.id == Message.turn_id)
        .where(Turn.workspace_id == whose.workspace_id, Turn.user_id == whose.user_id, Message.forgotten_at.is_(None))
        .where(or_(Message.author_id == whose.user_id, Message.author_id.is_(None)))
        .where(Message.text.icontains(wanted, autoescape=True))
        .order_by(Message.conversation_id, Message.position)
    )
    for row, turn in (await work.session.execute(statement)).all():
        if row.author_id is not None:
            await _forget(work, row.conversation_id, await _answering(work.session, row.id), said=row.id)
        else:
            await _forget(work, row.conversation_id, [turn], said=None)


async def _drop_learnt(work: Work, message_id: str) -> None:
    """Remove the facts that a message taught, but for those that their person has put into other words since."""
    learnt = delete(Fact).where(Fact.message_id == message_id, Fact.origin != WRITTEN)
    gone = (await work.session.execute(learnt.returning(Fact.id, Fact.workspace_id, Fact.user_id))).all()
    for fact_id, workspace_id, user_id in gone:
        changes.note(work, "fact", fact_id)
        person = select(Membership.id).where(Membership.workspace_id == workspace_id, Membership.user_id == user_id)
        membership_id = (await work.session.execute(person)).scalar_one()
        await streams.notify(work, membership_id, FactsChanged(fact_ids=(fact_id,)))
    if gone:
        outbox.put(work, outbox.WIPE, new_id("wip"), {})


async def _answering(session: AsyncSession, message_id: str) -> Sequence[Turn]:
    return (await session.execute(select(Turn).where(Turn.message_id == message_id))).scalars().all()


async def _forget(work: Work, conversation_id: str, turns: Sequence[Turn], *, said: str | None) -> None:
    """Mark the message `said` and the replies of these turns, tell the room, and drop what was made of them."""
    conversation = await lease.lock_conversation(work.session, conversation_id)
    replies = [messages.reply_id(turn.id) for turn in turns]
    statement = (
        select(Message)
        .where(or_(Message.id == said, Message.id.in_(replies)), Message.forgotten_at.is_(None))
        .order_by(Message.position)
        .execution_options(populate_existing=True)
    )
    rows = (await work.session.execute(statement)).scalars().all()
    if not rows:
        return
    for row in rows:
        row.forgotten_at = now()
    await work.session.flush()
    streams.add(work, conversation, *(MessageUpdated(message=message_view(row)) for row in rows))
    for turn in turns:
        changes.note(work, "turn", turn.id)
    await drop_summaries(work, conversation_id, min(turn.place for turn in turns))


async def drop_summaries(work: Work, conversation_id: str, place: int) -> None:
    """Drop every summary that may tell of the turn at `place`, and ask for new ones of the same branches."""
    covering = (Summary.conversation_id == conversation_id, Summary.upto_place >= place)
    branches = (await work.session.execute(select(Summary.branch_id).where(*covering).distinct())).scalars().all()
    await work.session.execute(delete(Summary).where(*covering))
    for branch_id in branches:
        newest = (
            select(Turn.id)
            .where(Turn.conversation_id == conversation_id, Turn.branch_id.is_not_distinct_from(branch_id))
            .where(Turn.thread_id.is_(None), Turn.state == TurnState.FINISHED)
            .order_by(Turn.place.desc())
            .limit(1)
        )
        turn_id = (await work.session.execute(newest)).scalar_one_or_none()
        if turn_id is not None:
            outbox.put(work, outbox.REFLECT, new_id("ref"), {"turn_id": turn_id, "learn": False, "sum_up": True})
    if branches:
        outbox.put(work, outbox.WIPE, new_id("wip"), {})
