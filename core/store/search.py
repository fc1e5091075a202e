"""Search in SQL over what was said where a person takes part: full text, best first."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, column, func, literal_column, select, table
from sqlalchemy.ext.asyncio import AsyncSession

from core.migrations.drawn import NUMBERS_TABLE, WORDS_TABLE
from core.permissions import Principal
from core.query import Term
from core.store.visibility import sees_conversation
from core.tables.talk import Conversation, Message

DEPTH = 200
"""So many of the best hits are looked at; a search that finds more should be narrower."""


async def by_words(
    session: AsyncSession, who: Principal, terms: Sequence[Term], *, conversation_id: str | None
) -> list[str]:
    """Give the ids of at most DEPTH messages that have all the terms, best first."""
    statement = (_sqlite if session.get_bind().dialect.name == "sqlite" else _postgresql)(terms)
    statement = _seen(statement, who, conversation_id).limit(DEPTH)
    return list((await session.execute(statement)).scalars())


async def shown(
    session: AsyncSession, who: Principal, message_ids: Sequence[str], *, conversation_id: str | None
) -> dict[str, tuple[Message, str]]:
    """Give those of the messages that the person sees, each with its conversation's title, by id."""
    statement = _seen(select(Message, Conversation.title), who, conversation_id).where(Message.id.in_(message_ids))
    return {message.id: (message, title) for message, title in await session.execute(statement)}


def _seen(statement: Select, who: Principal, conversation_id: str | None) -> Select:  # type: ignore[type-arg]
    """Keep to conversations that the person sees, none deleted, and to what is not forgotten."""
    kept = statement.join(Conversation, Conversation.id == Message.conversation_id).where(
        sees_conversation(who), Conversation.deleted_at.is_(None), Message.forgotten_at.is_(None)
    )
    return kept if conversation_id is None else kept.where(Conversation.id == conversation_id)


def _sqlite(terms: Sequence[Term]) -> Select[str]:
    """Every term is quoted: in quotes FTS5 knows no operators."""
    query = " ".join('"' + term.text.replace('"', " ") + '"' for term in terms)
    numbers = table(NUMBERS_TABLE, column("number"), column("message_id"))
    words = table(WORDS_TABLE, column("rowid"), column("rank"))
    return (
        select(Message.id)
        .select_from(words)
        .join(numbers, numbers.c.number == words.c.rowid)
        .join(Message, Message.id == numbers.c.message_id)
        .where(literal_column(WORDS_TABLE).op("MATCH")(query))
        .order_by(words.c.rank, Message.id.desc())
    )


def _postgresql(terms: Sequence[Term]) -> Select[str]:
    simple: ColumnElement[str] = literal_column("'simple'")
    words = func.to_tsvector(simple, func.left(Message.text, literal_column("200000")))
    query: ColumnElement[Any] = func.phraseto_tsquery(simple, terms[0].text)
    for term in terms[1:]:
        query = query.op("&&")(func.phraseto_tsquery(simple, term.text))
    return (
        select(Message.id).where(words.op("@@")(query)).order_by(func.ts_rank(words, query).desc(), Message.id.desc())
    )
