"""What channels told us, in SQL: kept once each, in order, until it is answered; and how far each was read, by whom."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.ids import new_id
from core.incoming import INBOUND, InboundEvent
from core.tables.connect import Cursor, Inbound
from core.tables.talk import Message

DOORBELL = "inbound"
OF_EACH = 10
"""How many of one thread are answered before all threads are looked at again."""
WAITING, DONE, FAILED = "waiting", "done", "failed"
KEPT = timedelta(days=60)
"""How long an answered event is known: told again within that time it is not answered again."""


async def keep(session: AsyncSession, channel: str, account: str, events: Sequence[InboundEvent]) -> int:
    """Keep events in their order; those known already are left as they are. Gives how many are new."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    new = 0
    for row_id, event in zip(sorted(new_id("inb") for _ in events), events, strict=True):
        at = now()
        values = {
            "id": row_id,
            "channel": channel,
            "account": account,
            "event_id": event.event_id,
            "thread": event.thread,
            "body": event.model_dump(mode="json"),
            "state": WAITING,
            "attempts": 0,
            "due_at": at,
            "created_at": at,
        }
        statement = insert(Inbound).values(**values).on_conflict_do_nothing().returning(Inbound.id)
        new += (await session.execute(statement)).first() is not None
    return new


async def waiting(session: AsyncSession, channel: str, account: str, limit: int = 200) -> list[Inbound]:
    """Give what can be answered now: the first OF_EACH of each thread, in its order, the first of every thread first.

    A thread of which something was postponed is left out until then.
    """
    here = (Inbound.channel == channel) & (Inbound.account == account) & (Inbound.state == WAITING)
    place = func.row_number().over(partition_by=Inbound.thread, order_by=Inbound.id).label("place")
    placed = select(Inbound.id, place).where(here).subquery()
    postponed = select(Inbound.thread).where(here, Inbound.due_at > now())
    statement = (
        select(Inbound)
        .join(placed, placed.c.id == Inbound.id)
        .where(placed.c.place <= OF_EACH, Inbound.thread.not_in(postponed))
        .order_by(placed.c.place, Inbound.id)
        .limit(limit)
    )
    return list((await session.execute(statement)).scalars())


def event_of(row: Inbound) -> InboundEvent:
    """Read what was kept."""
    return INBOUND.validate_python(row.body)


async def settle(session: AsyncSession, row_id: str, state: str = DONE, detail: str | None = None) -> None:
    """Note that it is answered, or never will be (FAILED); what it said is kept no longer."""
    statement = update(Inbound).where(Inbound.id == row_id)
    await session.execute(statement.values(state=state, detail=detail, body={}))


async def postpone(session: AsyncSession, row_id: str, until: datetime, attempts: int, detail: str) -> None:
    """Answer it later; what follows it in its thread waits too."""
    statement = update(Inbound).where(Inbound.id == row_id)
    await session.execute(statement.values(due_at=until, attempts=attempts, detail=detail))


async def prune(session: AsyncSession) -> None:
    """Forget what was answered long ago."""
    await session.execute(delete(Inbound).where(Inbound.state != WAITING, Inbound.created_at < now() - KEPT))


async def was_said(session: AsyncSession, user_id: str, client_message_id: str) -> bool:
    """Whether an event became a message already, in whatever conversation: a crash may come between."""
    statement = select(Message.id).where(Message.author_id == user_id, Message.client_message_id == client_message_id)
    return (await session.execute(statement.limit(1))).first() is not None


async def hold(session: AsyncSession, channel: str, account: str, holder: str, life: timedelta) -> Cursor | None:
    """Take, or keep, the right to read and answer a channel account for `life`; None while another has it."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    first = insert(Cursor).values(channel=channel, account=account, position="", state="unknown", updated_at=now())
    await session.execute(first.on_conflict_do_nothing())
    free = or_(Cursor.holder.is_(None), Cursor.holder == holder, Cursor.held_until < now())
    statement = update(Cursor).where(_is(channel, account), free)
    taken = await session.execute(statement.values(holder=holder, held_until=now() + life).returning(Cursor.position))
    if taken.first() is None:
        return None
    return await session.get_one(Cursor, (channel, account), populate_existing=True)


async def let_go(session: AsyncSession, channel: str, account: str, holder: str) -> None:
    """Give that right back."""
    statement = update(Cursor).where(_is(channel, account), Cursor.holder == holder)
    await session.execute(statement.values(holder=None, held_until=None))


async def move(session: AsyncSession, channel: str, account: str, holder: str, position: str) -> bool:
    """Note how far the account was read; False when somebody else reads it now."""
    statement = update(Cursor).where(_is(channel, account), Cursor.holder == holder).values(position=position)
    return (await session.execute(statement.returning(Cursor.position))).first() is not None


async def note(session: AsyncSession, channel: str, account: str, state: str, detail: str | None) -> None:
    """Note how the channel is (`live` with our name there, or `failing` with the reason), as seen now."""
    statement = update(Cursor).where(_is(channel, account))
    await session.execute(statement.values(state=state, detail=detail, updated_at=now()))


async def seen(session: AsyncSession, channel: str, account: str) -> None:
    """Note that the channel answered just now, under the name that is known."""
    await session.execute(update(Cursor).where(_is(channel, account)).values(state="live", updated_at=now()))


async def standing(session: AsyncSession) -> dict[tuple[str, str], Cursor]:
    """Give how every channel account was last seen."""
    rows = (await session.execute(select(Cursor))).scalars()
    return {(row.channel, row.account): row for row in rows}


def _is(channel: str, account: str) -> ColumnElement[bool]:
    return (Cursor.channel == channel) & (Cursor.account == account)
