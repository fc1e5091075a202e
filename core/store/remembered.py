"""What memory's index should hold: the present truth about messages, facts and documents, as rows of one shape."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.tables.memory import Chunk, Document, Fact, MemoryChange
from core.tables.talk import Conversation, Message
from core.tables.work import Turn

Shelf = Literal["messages", "facts", "documents"]
SHELVES: tuple[Shelf, ...] = ("messages", "facts", "documents")
_BLANK = " \t\r\n\f\v"
_MOST_IDS = 500  # in one statement


@dataclass(frozen=True)
class Remembered:
    """One text that can be recalled. `ref` is what it is learned and forgotten with: its turn, itself, its document.

    `user_id` is whose memory it belongs to: the conversation's owner, the fact's person, the document's owner.
    """

    id: str
    ref: str
    workspace_id: str
    user_id: str
    conversation_id: str | None
    created_at: datetime
    text: str


@dataclass
class Truth:
    """What is true now of what changed: `rows` is all there is of `refs`; of the conversations in `gone`, nothing."""

    refs: dict[Shelf, set[str]] = field(default_factory=lambda: {shelf: set() for shelf in SHELVES})
    rows: dict[Shelf, list[Remembered]] = field(default_factory=lambda: {shelf: [] for shelf in SHELVES})
    gone: set[str] = field(default_factory=set)


async def truth_about(session: AsyncSession, changes: Sequence[MemoryChange]) -> Truth:
    """Give the present truth about what changed."""
    truth = Truth()
    named: dict[str, set[str]] = {}
    for change in changes:
        named.setdefault(change.kind, set()).add(change.ref)
    conversations = named.get("conversation", set())
    kept = select(Conversation.id).where(Conversation.id.in_(conversations), Conversation.deleted_at.is_(None))
    there = set((await session.execute(kept)).scalars())
    truth.gone = conversations - there
    truth.refs["messages"] = named.get("turn", set()) | await _refs(session, Turn, there)
    truth.refs["documents"] = named.get("document", set()) | await _refs(session, Document, there)
    truth.refs["facts"] = named.get("fact", set())
    for shelf in SHELVES:
        truth.rows[shelf] = await _of(session, shelf, sorted(truth.refs[shelf]))
    return truth


async def _refs(session: AsyncSession, table: Any, conversations: Iterable[str]) -> set[str]:
    statement = select(table.id).where(table.conversation_id.in_(conversations))
    return set((await session.execute(statement)).scalars())


async def _of(session: AsyncSession, shelf: Shelf, refs: list[str]) -> list[Remembered]:
    column: Any = {"messages": Message.turn_id, "facts": Fact.id, "documents": Chunk.document_id}[shelf]
    found: list[Remembered] = []
    for at in range(0, len(refs), _MOST_IDS):
        rows = await session.execute(_all(shelf).where(column.in_(refs[at : at + _MOST_IDS])))
        found += [Remembered(*row) for row in rows]
    return found


async def page(session: AsyncSession, shelf: Shelf, after: str, limit: int) -> list[Remembered]:
    """Give the next rows by id; start with an empty `after`."""
    column = _id(shelf)
    statement = _all(shelf).where(column > after).order_by(column).limit(limit)
    return [Remembered(*row) for row in await session.execute(statement)]


async def count(session: AsyncSession, shelf: Shelf) -> int:
    """Count the rows that the index should hold."""
    return int((await session.execute(select(func.count()).select_from(_all(shelf).subquery()))).scalar_one())


async def sample(session: AsyncSession, shelf: Shelf, size: int) -> list[Remembered]:
    """Give rows by chance."""
    rows = await session.execute(_all(shelf).order_by(func.random()).limit(size))
    return [Remembered(*row) for row in rows]


async def by_id(session: AsyncSession, shelf: Shelf, ids: Sequence[str]) -> dict[str, Remembered]:
    """Give those of these rows that should be there."""
    rows = await session.execute(_all(shelf).where(_id(shelf).in_(ids)))
    return {row[0]: Remembered(*row) for row in rows}


def _id(shelf: Shelf) -> Any:
    return {"messages": Message.id, "facts": Fact.id, "documents": Chunk.id}[shelf]


def _all(shelf: Shelf) -> Select[*tuple[Any, ...]]:
    """Select what may be recalled: of a conversation that is deleted nothing, of a turn what was said to its end."""
    if shelf == "facts":
        return select(
            *(Fact.id, Fact.id, Fact.workspace_id, Fact.user_id, Fact.conversation_id, Fact.updated_at, Fact.text)
        ).where(_says_something(Fact.text))
    if shelf == "documents":
        of_document = (Document.workspace_id, Document.owner_id, Document.conversation_id, Document.created_at)
        return (
            select(Chunk.id, Chunk.document_id, *of_document, Chunk.text)
            .join(Document, Document.id == Chunk.document_id)
            .outerjoin(Conversation, Conversation.id == Document.conversation_id)
            .where(Document.deleted_at.is_(None), Conversation.deleted_at.is_(None), _says_something(Chunk.text))
        )
    of_message = (Conversation.workspace_id, Conversation.owner_id, Message.conversation_id, Message.created_at)
    return (
        select(Message.id, Message.turn_id, *of_message, Message.text)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Turn, Turn.id == Message.turn_id)
        .where(Conversation.deleted_at.is_(None), Message.forgotten_at.is_(None), Turn.ended_at.is_not(None))
        .where(_says_something(Message.text))
    )


def _says_something(text: Any) -> Any:
    return func.trim(text, _BLANK) != ""
