"""Messages in SQL: what people and the assistant said, in the order of their conversation."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import NotFound
from core.events import MessageCreated
from core.ids import derived_id
from core.permissions import Principal
from core.store import paths, streams
from core.store.viewing import message_view
from core.store.visibility import sees_conversation
from core.store.work import Work
from core.tables.talk import Branch, Conversation, Message
from core.tables.work import Turn
from core.views import MessageView

TITLE_LENGTH = 50
ACTIVE = "active"


async def page(
    session: AsyncSession,
    who: Principal,
    conversation_id: str,
    *,
    before: int | None,
    limit: int,
    branch_id: str | None = ACTIVE,
) -> tuple[list[MessageView], int | None, int]:
    """Give the newest messages before a position, oldest first; the next cursor; the true total. Raises NotFound.

    They are those of one version: the one that is shown, or another (`branch_id` None: the first).
    """
    await check_visible(session, who, conversation_id)
    of_it = and_(Message.conversation_id == conversation_id, await in_version(session, conversation_id, branch_id))
    statement = select(Message).where(of_it).order_by(Message.position.desc()).limit(limit + 1)
    if before is not None:
        statement = statement.where(Message.position < before)
    rows = list((await session.execute(statement)).scalars())
    total = (await session.execute(select(func.count()).select_from(Message).where(of_it))).scalar_one()
    shown = rows[:limit]
    following = shown[-1].position if len(rows) > limit else None
    return [message_view(row) for row in reversed(shown)], following, total


async def in_version(session: AsyncSession, conversation_id: str, branch_id: str | None) -> ColumnElement[bool]:
    """Whether a message was said on the path of a version (ACTIVE: the one that is shown), or is answered on it."""
    of_it = select(Conversation.active_branch_id, exists().where(Branch.conversation_id == conversation_id))
    active, is_branched = (await session.execute(of_it.where(Conversation.id == conversation_id))).one()
    if not is_branched:
        return true()
    segments = await paths.segments_of(session, conversation_id, active if branch_id == ACTIVE else branch_id)
    on_it = and_(Turn.conversation_id == conversation_id, paths.on_path(segments))
    answered = Message.id.in_(select(Turn.message_id).where(on_it))
    return or_(answered, and_(Message.role != "user", Message.turn_id.in_(select(Turn.id).where(on_it))))


async def check_visible(session: AsyncSession, who: Principal, conversation_id: str) -> None:
    """Raise NotFound unless the person sees the conversation."""
    statement = select(Conversation.id).where(
        Conversation.id == conversation_id, sees_conversation(who), Conversation.deleted_at.is_(None)
    )
    if (await session.execute(statement)).first() is None:
        message = "There is no such conversation."
        raise NotFound(message)


async def one(session: AsyncSession, who: Principal, message_id: str) -> MessageView:
    """Give one message that the person sees; raises NotFound."""
    statement = (
        select(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Message.id == message_id, sees_conversation(who), Conversation.deleted_at.is_(None))
    )
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        message = "There is no such message."
        raise NotFound(message)
    return message_view(row)


async def sent_before(
    session: AsyncSession, who: Principal, conversation_id: str, client_message_id: str
) -> Message | None:
    """Give the message that the person sent under this client id, if any: a resend is the same message."""
    statement = select(Message).where(
        Message.conversation_id == conversation_id,
        Message.author_id == who.user_id,
        Message.client_message_id == client_message_id,
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def reply_of(session: AsyncSession, turn_id: str) -> MessageView | None:
    """Give the assistant's message of a turn. The caller has checked who asks."""
    row = await session.get(Message, reply_id(turn_id))
    return None if row is None else message_view(row)


def reply_id(turn_id: str) -> str:
    """Name the one reply of a turn."""
    return derived_id("msg", turn_id, "reply")


async def add_reply(
    work: Work,
    turn: Turn,
    seq: int,
    text: str,
    *,
    model: str | None,
    usage: dict[str, Any] | None,
    suggestions: Sequence[str] | None = None,
    profile: dict[str, Any] | None = None,
) -> MessageView:
    """Write the assistant's message of a turn, with its event under the reserved `seq`."""
    at = now()
    row = Message(
        id=reply_id(turn.id),
        conversation_id=turn.conversation_id,
        workspace_id=turn.workspace_id,
        turn_id=turn.id,
        branch_id=turn.branch_id,
        position=seq,
        role="assistant",
        text=text,
        channel=turn.door,
        thread_id=turn.thread_id,
        intent=turn.intent,
        confidence=turn.confidence,
        model=model,
        usage=usage,
        suggestions=None if suggestions is None else list(suggestions),
        profile=profile,
        response_time_ms=round((at - turn.created_at).total_seconds() * 1000),
        created_at=at,
    )
    work.session.add(row)
    view = message_view(row)
    streams.put(work, turn.conversation_id, seq, MessageCreated(message=view))
    return view


def title_from(text: str) -> str:
    """Make a title of the first message: its first line, at most 50 characters, cut at a word."""
    line = " ".join(text.strip().splitlines()[0].split()) if text.strip() else ""
    if len(line) <= TITLE_LENGTH:
        return line
    cut = line[: TITLE_LENGTH - 1]
    at_word = cut.rsplit(" ", 1)[0]
    return (at_word if len(at_word) > TITLE_LENGTH // 2 else cut).rstrip() + "…"
