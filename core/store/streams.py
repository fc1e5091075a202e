"""Durable events: given their seq in the transaction that changes the state, read back in that order."""

import json
from typing import Any

from pydantic import BaseModel
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.events import MAX_EVENT_BYTES, DurableEvent, Envelope
from core.store.work import Work
from core.tables.people import Membership
from core.tables.records import StoredEvent
from core.tables.talk import Conversation

REPLAY_LIMIT = 1000


async def reserve(work: Work, conversation_id: str, count: int) -> int:
    """Take the next `count` numbers of a conversation's stream (this locks the conversation); the first is returned."""
    statement = (
        update(Conversation)
        .where(Conversation.id == conversation_id)
        .values(last_seq=Conversation.last_seq + count)
        .returning(Conversation.last_seq)
    )
    last = (await work.session.execute(statement)).scalar_one()
    return int(last) - count + 1


def advance(conversation: Conversation, count: int) -> int:
    """Take the next `count` numbers of a conversation that this transaction has locked; the first is returned."""
    conversation.last_seq += count
    return conversation.last_seq - count + 1


def add(work: Work, conversation: Conversation, *events: DurableEvent) -> int:
    """Write events to a conversation that this transaction has locked; returns the first number."""
    first = advance(conversation, len(events))
    put(work, conversation.id, first, *events)
    return first


def put(work: Work, stream_id: str, first: int, *events: DurableEvent) -> None:
    """Write events under the numbers from `first` on."""
    at = now()
    for seq, event in enumerate(events, first):
        body = fit(event)
        work.session.add(StoredEvent(stream_id=stream_id, seq=seq, type=event.type, body=body, created_at=at))
    work.streams.add(stream_id)


async def append(work: Work, conversation_id: str, *events: DurableEvent) -> int:
    """Reserve and write in one go; returns the first number."""
    first = await reserve(work, conversation_id, len(events))
    put(work, conversation_id, first, *events)
    return first


async def notify(work: Work, membership_id: str, *events: DurableEvent) -> None:
    """Write events to a person's inbox stream."""
    statement = (
        update(Membership)
        .where(Membership.id == membership_id)
        .values(last_seq=Membership.last_seq + len(events))
        .returning(Membership.last_seq)
    )
    last = (await work.session.execute(statement)).scalar_one()
    put(work, membership_id, int(last) - len(events) + 1, *events)


def fit(event: BaseModel) -> dict[str, Any]:
    """Give the event as JSON, its long text, result or arguments left out when it is over MAX_EVENT_BYTES."""
    body = event.model_dump(mode="json")
    if _size(body) <= MAX_EVENT_BYTES:
        return body
    for noun, member, flag, empty in (
        ("message", "text", "text_cut", ""),
        ("call", "result", "result_cut", None),
        ("call", "arguments", "result_cut", {}),
        ("approval", "arguments", "arguments_cut", {}),
        ("approval", "arguments_schema", "arguments_cut", None),
    ):
        if noun in body and body[noun] and _size(body) > MAX_EVENT_BYTES:
            body[noun][member] = empty
            body[noun][flag] = True
    return body


def _size(body: dict[str, Any]) -> int:
    return len(json.dumps(body, ensure_ascii=False).encode())


class Log(BaseModel):
    """Where a stream stands: its epoch and its last number."""

    epoch: str
    last_seq: int


async def log_of(session: AsyncSession, stream_id: str) -> Log | None:
    """Tell where a stream stands; None when there is no such stream."""
    table = Conversation if stream_id.startswith("cnv_") else Membership
    row = (await session.execute(select(table.epoch, table.last_seq).where(table.id == stream_id))).one_or_none()
    return None if row is None else Log(epoch=row[0], last_seq=row[1])


async def after(
    session: AsyncSession, stream_id: str, epoch: str, seq: int, limit: int = REPLAY_LIMIT
) -> list[Envelope]:
    """Give the stream's events after `seq`, oldest first, at most `limit`. The caller has checked who asks."""
    statement = (
        select(StoredEvent)
        .where(StoredEvent.stream_id == stream_id, StoredEvent.seq > seq)
        .order_by(StoredEvent.seq)
        .limit(limit)
    )
    rows = (await session.execute(statement)).scalars()
    return [Envelope(stream=stream_id, epoch=epoch, seq=row.seq, at=row.created_at, event=row.body) for row in rows]
