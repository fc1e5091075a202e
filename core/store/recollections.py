"""What memory found, as SQL has it now: the last word on what is there, and on who may be told."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.permissions import Principal
from core.store import paths, recalls, turns
from core.store.paths import Segment
from core.tables.memory import Chunk, Document, Fact
from core.tables.talk import Conversation, Message, Participant
from core.tables.work import Turn
from core.views import CitationView, RecalledView, RecallTextsView

Kind = Literal["message", "fact", "document"]
Key = tuple[str, str]
"""The kind and the id of something remembered."""
_EXCERPT = 500


@dataclass(frozen=True)
class Whose:
    """For whom something is recalled. `alone`: nobody else takes part; else only this conversation is seen.

    `branch_id`: the version of the conversation that is told; None is the trunk.
    """

    workspace_id: str
    user_id: str
    conversation_id: str
    alone: bool
    branch_id: str | None = None


@dataclass(frozen=True)
class Recollection:
    """Something remembered, with its text of now. `role`: user or assistant, of messages."""

    kind: Kind
    id: str
    text: str
    at: datetime
    conversation_id: str | None = None
    turn_id: str | None = None
    author_id: str | None = None
    role: str | None = None
    model: str | None = None
    name: str | None = None
    page: int | None = None

    @property
    def key(self) -> Key:
        """What names it."""
        return self.kind, self.id


async def is_alone(session: AsyncSession, conversation_id: str) -> bool:
    """Whether only one human takes part in a conversation."""
    statement = select(func.count()).select_from(Participant).where(Participant.conversation_id == conversation_id)
    return (await session.execute(statement)).scalar_one() <= 1


async def facts_of(session: AsyncSession, whose: Whose, limit: int) -> list[Recollection]:
    """Give a person's facts, newest first; none where others listen."""
    if not whose.alone:
        return []
    statement = _facts(whose).order_by(Fact.id.desc()).limit(limit)
    return [_fact(row) for row in (await session.execute(statement)).scalars()]


async def present(session: AsyncSession, whose: Whose, keys: Collection[Key]) -> dict[Key, Recollection]:
    """Give those that are there, not forgotten, on their conversation's path, and this person's to see."""
    found: list[Recollection] = []
    if ids := [one for kind, one in keys if kind == "message"]:
        found += await _messages(session, whose, ids)
    if (ids := [one for kind, one in keys if kind == "fact"]) and whose.alone:
        rows = (await session.execute(_facts(whose).where(Fact.id.in_(ids)))).scalars()
        found += [_fact(row) for row in rows]
    if ids := [one for kind, one in keys if kind == "document"]:
        found += await _chunks(session, whose, ids)
    return {one.key: one for one in found}


async def of_turn(session: AsyncSession, who: Principal, turn_id: str) -> RecallTextsView | None:
    """Show what a turn recalled, with the texts that are still there and that this person may see. Raises NotFound."""
    turn = await turns.visible(session, who, turn_id)
    view = await recalls.of_turn(session, turn_id)
    if view is None:
        return None
    alone = turn.user_id == who.user_id and await is_alone(session, turn.conversation_id)
    whose = Whose(turn.workspace_id, who.user_id, turn.conversation_id, alone=alone, branch_id=turn.branch_id)
    known = await present(session, whose, [(item.kind, item.id) for item in view.items])
    items = tuple(_shown(item, known.get((item.kind, item.id))) for item in view.items)
    return RecallTextsView(
        turn_id=view.turn_id, state=view.state, reason=view.reason, took_ms=view.took_ms, items=items
    )


def _shown(item: CitationView, known: Recollection | None) -> RecalledView:
    text = None if known is None else known.text[:_EXCERPT]
    return RecalledView(**item.model_dump(), text=text, text_cut=known is not None and len(known.text) > _EXCERPT)


def _takes_part(whose: Whose, conversation_id: object) -> ColumnElement[bool]:
    """Whether the person takes part there, and may be told of it here."""
    mine = exists(select(1).where(Participant.conversation_id == conversation_id, Participant.user_id == whose.user_id))
    return mine if whose.alone else and_(mine, Conversation.id == whose.conversation_id)


async def _messages(session: AsyncSession, whose: Whose, ids: Sequence[str]) -> list[Recollection]:
    statement = (
        select(Message, Turn, Conversation.active_branch_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Turn, Turn.id == Message.turn_id)
        .where(Message.id.in_(ids), Message.forgotten_at.is_(None))
        .where(Conversation.workspace_id == whose.workspace_id, Conversation.deleted_at.is_(None))
        .where(_takes_part(whose, Conversation.id))
    )
    known: dict[str, Sequence[Segment]] = {}
    found: list[Recollection] = []
    replaced: dict[str, Message] = {}
    for row, turn, active_branch_id in (await session.execute(statement)).all():
        told = whose.branch_id if row.conversation_id == whose.conversation_id else active_branch_id
        if row.conversation_id not in known:
            known[row.conversation_id] = await paths.segments_of(session, row.conversation_id, told)
        if any(_holds(segment, turn) for segment in known[row.conversation_id]):
            found.append(_message(row, turn.id))
        elif row.role == "user":
            replaced[row.id] = row
    return found + await _answered_again(session, replaced, known)


async def _answered_again(
    session: AsyncSession, rows: Mapping[str, Message], paths_of: Mapping[str, Sequence[Segment]]
) -> list[Recollection]:
    """Give the messages whose first turn is not on the path, but another that answers the same words is."""
    if not rows:
        return []
    statement = select(Turn).where(Turn.conversation_id.in_({row.conversation_id for row in rows.values()}))
    turns_of = (await session.execute(statement.where(Turn.message_id.in_(rows)).order_by(Turn.place))).scalars()
    held = [one for one in turns_of if any(_holds(segment, one) for segment in paths_of[one.conversation_id])]
    newest = {one.message_id: one.id for one in held}
    return [_message(rows[message_id], turn_id) for message_id, turn_id in newest.items()]


def _holds(segment: Segment, turn: Turn) -> bool:
    """Whether a turn is in a segment of the path: what `paths.on_path` says in SQL, for several paths at once."""
    if turn.branch_id != segment.branch_id or (segment.before is not None and turn.place >= segment.before):
        return False
    return all(turn.thread_id != thread or turn.place < at for thread, at in segment.cuts)


async def _chunks(session: AsyncSession, whose: Whose, ids: Sequence[str]) -> list[Recollection]:
    """Documents of the workspace are everybody's; those of a conversation go with it."""
    of_talk = and_(Conversation.deleted_at.is_(None), _takes_part(whose, Conversation.id))
    statement = (
        select(Chunk, Document)
        .join(Document, Document.id == Chunk.document_id)
        .outerjoin(Conversation, Conversation.id == Document.conversation_id)
        .where(Chunk.id.in_(ids), Document.workspace_id == whose.workspace_id, Document.deleted_at.is_(None))
        .where(or_(Document.conversation_id.is_(None), of_talk))
    )
    return [
        Recollection(
            kind="document",
            id=chunk.id,
            text=chunk.text,
            at=document.created_at,
            conversation_id=document.conversation_id,
            name=document.name,
            page=chunk.page,
        )
        for chunk, document in (await session.execute(statement)).all()
    ]


def _facts(whose: Whose) -> Select[Fact]:
    return select(Fact).where(Fact.workspace_id == whose.workspace_id, Fact.user_id == whose.user_id)


def _fact(row: Fact) -> Recollection:
    return Recollection(
        kind="fact", id=row.id, text=row.text, at=row.updated_at, conversation_id=row.conversation_id,
        turn_id=row.turn_id,
    )  # fmt: skip


def _message(row: Message, turn_id: str) -> Recollection:
    """Show a message under the turn on the path that answers it: it may have been answered again."""
    return Recollection(
        kind="message",
        id=row.id,
        text=row.text,
        at=row.created_at,
        conversation_id=row.conversation_id,
        turn_id=turn_id,
        author_id=row.author_id,
        role=row.role,
        model=row.model,
    )
