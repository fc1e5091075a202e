"""Requests of the OpenAI-compatible door in SQL: to which talk each belongs, and which of them came before."""

import hashlib
import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.ids import new_id
from core.permissions import Door, Principal
from core.store import messages, partials
from core.store.work import Work
from core.tables.consent import Approval
from core.tables.doors import Prompt
from core.tables.talk import Conversation, Message
from core.tables.work import Turn
from core.values import TurnState, Value

AGAIN_WITHIN = timedelta(minutes=15)
"""A client that says it tries again is believed so long."""
UNSAID_WITHIN = timedelta(seconds=30)
"""Of a client that does not say whether it tries again: an answer that is no older may not have reached it."""
_CANDIDATES = 8
_LOCK = 7_214_503  # names our locks among PostgreSQL's advisory locks


class Line(Value):
    """What the client says was said before."""

    role: Literal["user", "assistant"]
    text: str


def fingerprint(lines: Sequence[Line]) -> str:
    """Give the hash of a talk: who said what in which order, whatever the spaces."""
    parts = [f"{line.role}\x1f{_folded(line.text)}" for line in lines]
    return hashlib.sha256("\x1e".join(parts).encode()).hexdigest()


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


async def lock(session: AsyncSession, who: Principal) -> None:
    """Let no other request of this person in until the transaction ends: one that comes twice at once is one."""
    if session.get_bind().dialect.name == "postgresql":
        key = int.from_bytes(hashlib.sha256(who.membership_id.encode()).digest()[:4], "big", signed=True)
        await session.execute(select(func.pg_advisory_xact_lock(_LOCK, key)))


async def named(session: AsyncSession, who: Principal, client_message_id: str) -> Prompt | None:
    """Give the request that the person's client sent under this id before."""
    statement = select(Prompt).where(
        Prompt.workspace_id == who.workspace_id,
        Prompt.user_id == who.user_id,
        Prompt.client_message_id == client_message_id,
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def repeated(
    session: AsyncSession,
    who: Principal,
    talk: str,
    conversation_id: str | None,
    tries: int | None,
    *,
    asked: str,
    instructions: str | None,
) -> Prompt | None:
    """Give the earlier request that this one repeats, by the talk's fingerprint, the model and the instructions.

    Whoever asks two models the same thing, or asks it for another purpose, asks twice. `tries`: how often the client
    says that it has tried before; None when it says nothing.
    """
    if tries == 0:
        return None
    statement = (
        select(Prompt, Turn)
        .outerjoin(Message, _said_by_it())
        .outerjoin(Turn, Turn.id == Message.turn_id)
        .where(Prompt.workspace_id == who.workspace_id, Prompt.user_id == who.user_id, Prompt.fingerprint == talk)
        .where(Prompt.asked == asked, Prompt.instructions.is_not_distinct_from(instructions))
        .where(Prompt.created_at > now() - AGAIN_WITHIN)
        .order_by(Prompt.created_at.desc(), Prompt.id.desc())
        .limit(1)
    )
    if conversation_id is not None:
        statement = statement.where(Prompt.conversation_id == conversation_id)
    found = (await session.execute(statement)).one_or_none()
    if found is None or (tries is None and not _may_be_unheard(found[1])):
        return None
    prompt: Prompt = found[0]
    return prompt


def _may_be_unheard(turn: Turn | None) -> bool:
    if turn is None or not TurnState(turn.state).is_terminal:
        return True
    return turn.ended_at is not None and turn.ended_at > now() - UNSAID_WITHIN


async def before(session: AsyncSession, who: Principal, earlier: Sequence[Line]) -> str | None:
    """Give the conversation that goes on after these lines, if the person has one that nothing else followed here."""
    last = max((place for place, line in enumerate(earlier) if line.role == "user"), default=None)
    if last is None:
        return None
    heard = _folded(" ".join(line.text for line in earlier[last + 1 :]))
    for prompt, turn in await _candidates(session, who, fingerprint(earlier[: last + 1])):
        if await _is_newest(session, prompt) and await _was_heard(session, who, turn, heard):
            return prompt.conversation_id
    return None


async def unanswered(session: AsyncSession, who: Principal, talk: str) -> str | None:
    """Give the conversation in which just this was asked last, and not answered: it is asked there again."""
    for prompt, turn in await _candidates(session, who, talk):
        if turn.state in {TurnState.FAILED, TurnState.STOPPED} and await _is_newest(session, prompt):
            return prompt.conversation_id
    return None


async def _candidates(session: AsyncSession, who: Principal, talk: str) -> Sequence[tuple[Prompt, Turn]]:
    statement = (
        select(Prompt, Turn)
        .join(Message, _said_by_it())
        .join(Turn, Turn.id == Message.turn_id)
        .join(Conversation, Conversation.id == Prompt.conversation_id)
        .where(Prompt.workspace_id == who.workspace_id, Prompt.user_id == who.user_id, Prompt.fingerprint == talk)
        .where(Conversation.deleted_at.is_(None))
        .order_by(Prompt.created_at.desc(), Prompt.id.desc())
        .limit(_CANDIDATES)
    )
    return [(prompt, turn) for prompt, turn in (await session.execute(statement)).all()]


async def _is_newest(session: AsyncSession, prompt: Prompt) -> bool:
    """Whether no later request went into the conversation: after one, this is an older place in the talk."""
    later = select(Prompt.id).where(
        Prompt.conversation_id == prompt.conversation_id,
        Prompt.user_id == prompt.user_id,
        (Prompt.created_at > prompt.created_at) | ((Prompt.created_at == prompt.created_at) & (Prompt.id > prompt.id)),
    )
    return (await session.execute(later.limit(1))).first() is None


async def _was_heard(session: AsyncSession, who: Principal, turn: Turn, heard: str) -> bool:
    """Whether the client's words for the answer are ours: all of it, a part, more than it, or that people are asked."""
    if not heard:
        return True
    asked = (await session.execute(select(Approval.id).where(Approval.turn_id == turn.id))).scalars()
    if any(approval_id in heard for approval_id in asked):
        return True
    reply = await messages.reply_of(session, turn.id)
    partial = await partials.of_turn(session, who, turn.id)
    said = _folded(reply.text if reply else partial.text if partial else "")
    return bool(said) and (said in heard or heard in said)


async def instructions_of(session: AsyncSession, message: Message) -> str | None:
    """Give what the client's system messages said beside a message; None for one that came another way."""
    if message.channel != Door.OPENAI:
        return None
    statement = select(Prompt.instructions).where(
        Prompt.conversation_id == message.conversation_id,
        Prompt.user_id == message.author_id,
        Prompt.client_message_id == message.client_message_id,
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def of_turn(session: AsyncSession, turn_id: str) -> Prompt | None:
    """Give the request that a turn answers. The caller has checked who asks."""
    statement = select(Prompt).join(Message, _said_by_it()).join(Turn, Turn.message_id == Message.id)
    return (await session.execute(statement.where(Turn.id == turn_id))).scalar_one_or_none()


async def add(
    work: Work,
    who: Principal,
    conversation_id: str,
    *,
    client_message_id: str,
    talk: str,
    instructions: str | None,
    asked: str,
) -> Prompt:
    """Write a request down, before its message is."""
    row = Prompt(
        id=new_id("prm"),
        workspace_id=who.workspace_id,
        user_id=who.user_id,
        conversation_id=conversation_id,
        client_message_id=client_message_id,
        fingerprint=talk,
        instructions=instructions,
        asked=asked,
        created_at=now(),
    )
    work.session.add(row)
    await work.session.flush()
    return row


def _said_by_it() -> ColumnElement[bool]:
    return and_(
        Message.conversation_id == Prompt.conversation_id,
        Message.author_id == Prompt.user_id,
        Message.client_message_id == Prompt.client_message_id,
    )
