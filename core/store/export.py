"""A conversation taken out of SQL whole: what its file says."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from core.clock import now
from core.errors import NotFound, TooLarge
from core.exports import (
    MAX_MESSAGES,
    ApprovalRecord,
    BranchRecord,
    CallRecord,
    ConversationFile,
    ConversationRecord,
    DocumentRecord,
    FactRecord,
    MessageRecord,
    PersonRecord,
    TurnRecord,
    UsageRecord,
)
from core.masking import mask
from core.permissions import Principal
from core.store import documents
from core.store.visibility import sees_conversation
from core.tables.consent import Approval
from core.tables.cost import Usage
from core.tables.memory import Document, Fact
from core.tables.people import User
from core.tables.talk import Branch, Conversation, Import, Message
from core.tables.work import ToolCall, Turn
from core.values import Value

RecordT = TypeVar("RecordT", bound=Value)


class _People:
    """Gives people keys in the order in which they are met: p1, p2 ... A file's people are known by name only."""

    def __init__(self, carried: Mapping[str, Any]) -> None:
        self._carried: Mapping[str, str] = carried.get("by", {})
        self._keys: dict[tuple[str, str], str] = {}

    def key(self, user_id: str | None, row_id: str = "") -> str | None:
        """Give the key of who is behind a row."""
        named = self._carried.get(row_id)
        if named is not None:
            return self._key("name", named)
        return None if user_id is None else self._key("user", user_id)

    def told(self, name: str | bool | None) -> str | None:
        """Give the key of somebody whom a file named; True: its owner, who is the first to be met."""
        if name is True:
            return "p1"
        return None if not name else self._key("name", name)

    def _key(self, kind: str, value: str) -> str:
        return self._keys.setdefault((kind, value), f"p{len(self._keys) + 1}")

    async def records(self, session: AsyncSession) -> tuple[PersonRecord, ...]:
        """Give everybody met, with their names."""
        ids = [value for kind, value in self._keys if kind == "user"]
        found = await session.execute(select(User.id, User.name).where(User.id.in_(ids)))
        names = {one: name for one, name in found}  # noqa: C416  # rows are no pairs to mypy
        return tuple(
            PersonRecord(key=key, name=value if kind == "name" else names.get(value, "Somebody"))
            for (kind, value), key in self._keys.items()
        )


async def whole(session: AsyncSession, who: Principal, conversation_id: str) -> ConversationFile:
    """Give a conversation that the person sees, as it is written to a file. Raises NotFound, TooLarge."""
    statement = select(Conversation).where(
        Conversation.id == conversation_id, sees_conversation(who), Conversation.deleted_at.is_(None)
    )
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        message = "There is no such conversation."
        raise NotFound(message)
    imported = await session.get(Import, conversation_id)
    carried: Mapping[str, Any] = imported.carried if imported else {}
    people = _People(carried)
    conversation = _record(ConversationRecord, row, owner=people.key(row.owner_id))
    messages = await _rows(session, Message, Message.position, conversation_id)
    if len(messages) > MAX_MESSAGES:
        message = f"A conversation of more than {MAX_MESSAGES} messages does not fit into one file."
        raise TooLarge(message)
    turns = await _rows(session, Turn, Turn.place, conversation_id)
    return ConversationFile(
        exported_at=now(),
        imported=imported is not None,
        conversation=conversation,
        branches=tuple(
            _record(BranchRecord, one, by=people.key(one.created_by, one.id))
            for one in await _rows(session, Branch, Branch.begun_at, conversation_id)
        ),
        turns=tuple(_record(TurnRecord, one, by=people.key(one.user_id, one.id)) for one in turns),
        messages=tuple(_record(MessageRecord, one, by=people.key(one.author_id, one.id)) for one in messages),
        calls=tuple(
            _record(CallRecord, one, arguments=mask(one.secrets, one.arguments))
            for one in await _rows(session, ToolCall, ToolCall.id, conversation_id)
        ),
        approvals=await _approvals(session, conversation_id, people, carried),
        facts=await _facts(session, who, conversation_id, messages, carried),
        documents=await _documents(session, conversation_id, people, carried),
        usage=await _usage(session, conversation_id, {one.id for one in turns}, carried),
        people=await people.records(session),
    )


async def _rows(session: AsyncSession, table: type[Any], order: Any, conversation_id: str) -> Sequence[Any]:
    statement = select(table).where(table.conversation_id == conversation_id).order_by(order, table.id)
    return (await session.execute(statement)).scalars().all()


def _record(kind: type[RecordT], row: SQLModel, **more: Any) -> RecordT:
    known = row.model_dump(include=set(kind.model_fields) - more.keys())
    return kind.model_validate({**known, **more})


async def _approvals(
    session: AsyncSession, conversation_id: str, people: _People, carried: Mapping[str, Any]
) -> tuple[ApprovalRecord, ...]:
    own = [
        _record(ApprovalRecord, one, requested_by=people.key(one.requester_id), decided_by=people.key(one.decided_by))
        for one in await _rows(session, Approval, Approval.id, conversation_id)
    ]
    names = ("requested_by", "decided_by")
    told = [
        ApprovalRecord.model_validate({**one, **{name: people.told(one[name]) for name in names}})
        for one in carried.get("approvals", ())
    ]
    return (*told, *own)


async def _facts(
    session: AsyncSession,
    who: Principal,
    conversation_id: str,
    messages: Iterable[Message],
    carried: Mapping[str, Any],
) -> tuple[FactRecord, ...]:
    """Give the person's own facts only: those of others are nobody else's business."""
    statement = (
        select(Fact)
        .where(
            Fact.conversation_id == conversation_id, Fact.user_id == who.user_id, Fact.workspace_id == who.workspace_id
        )
        .order_by(Fact.id)
    )
    said = {one.id: one.turn_id for one in messages}
    own = []
    for one in (await session.execute(statement)).scalars():
        message_id = one.message_id if one.message_id in said else None
        turn_id = one.turn_id if one.turn_id in said.values() else None
        own.append(_record(FactRecord, one, message_id=message_id, turn_id=turn_id))
    return (*(FactRecord.model_validate(one) for one in carried.get("facts", ())), *own)


async def _documents(
    session: AsyncSession, conversation_id: str, people: _People, carried: Mapping[str, Any]
) -> tuple[DocumentRecord, ...]:
    rows: Sequence[Document] = await documents.of_conversation(session, conversation_id)
    own = [_record(DocumentRecord, one, by=people.key(one.owner_id, one.id), file=None) for one in rows]
    told = [
        DocumentRecord.model_validate({**one, "by": people.told(one["by"])}) for one in carried.get("documents", ())
    ]
    return (*told, *own)


async def _usage(
    session: AsyncSession, conversation_id: str, turn_ids: set[str], carried: Mapping[str, Any]
) -> tuple[UsageRecord, ...]:
    rows = await _rows(session, Usage, Usage.created_at, conversation_id)
    own = [_record(UsageRecord, one, turn_id=one.turn_id if one.turn_id in turn_ids else None) for one in rows]
    return (*(UsageRecord.model_validate(one) for one in carried.get("usage", ())), *own)


async def keys_of(session: AsyncSession, conversation_id: str) -> dict[str, str]:
    """Give where the files of a conversation's documents are, by document id. The caller has checked who asks."""
    return {one.id: one.storage_key for one in await documents.of_conversation(session, conversation_id)}
