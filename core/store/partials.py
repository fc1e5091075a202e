"""The text that a running model call has given so far, so that a reload or a stop shows it all."""

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import NotFound
from core.permissions import Principal
from core.store.visibility import sees_conversation
from core.tables.talk import Conversation
from core.tables.work import Partial, Turn
from core.values import TurnState
from core.views import PartialView


async def keep(session: AsyncSession, turn_id: str, attempt: int, text: str) -> None:
    """Store the whole text so far of this attempt; an older attempt's is replaced. Only a running turn has any."""
    state = (await session.execute(select(Turn.state).where(Turn.id == turn_id))).scalar_one_or_none()
    if state != TurnState.RUNNING:
        return
    dialect = session.get_bind().dialect.name
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    values = {"turn_id": turn_id, "attempt": attempt, "text": text, "updated_at": now()}
    statement = insert(Partial).values(**values)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["turn_id"],
            set_={name: values[name] for name in ("attempt", "text", "updated_at")},
            where=Partial.attempt <= attempt,
        )
    )


async def cut(session: AsyncSession, turn_id: str, attempt: int, length: int) -> None:
    """Forget the text after `length` code points: a new attempt goes on from there."""
    kept = update(Partial).where(Partial.turn_id == turn_id)
    await session.execute(kept.values(attempt=attempt, text=func.substr(Partial.text, 1, length), updated_at=now()))


async def take(session: AsyncSession, turn_id: str) -> str:
    """Remove and return the kept text; empty when there is none."""
    statement = delete(Partial).where(Partial.turn_id == turn_id).returning(Partial.text)
    return (await session.execute(statement)).scalar_one_or_none() or ""


async def of_turn(session: AsyncSession, who: Principal, turn_id: str) -> PartialView | None:
    """Give the running text of a turn the person sees; None when it shows none. Raises NotFound."""
    statement = (
        select(Turn.attempt, Partial.attempt, Partial.text)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .outerjoin(Partial, Partial.turn_id == Turn.id)
        .where(Turn.id == turn_id, sees_conversation(who), Conversation.deleted_at.is_(None))
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        message = "There is no such turn."
        raise NotFound(message)
    if row[2] is None or row[1] != row[0]:
        return None
    return PartialView(turn_id=turn_id, attempt=row[1], offset=0, text=row[2])


async def running(session: AsyncSession, conversation_id: str) -> PartialView | None:
    """Give the running text of the conversation's active turn. The caller has checked who asks."""
    statement = (
        select(Partial)
        .join(Conversation, Conversation.active_turn_id == Partial.turn_id)
        .join(Turn, Turn.id == Partial.turn_id)
        .where(Conversation.id == conversation_id, Turn.attempt == Partial.attempt)
    )
    row = (await session.execute(statement)).scalar_one_or_none()
    return None if row is None else PartialView(turn_id=row.turn_id, attempt=row.attempt, offset=0, text=row.text)
