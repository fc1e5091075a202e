"""A conversation brought in from a file: with new ids, owned by whoever brings it, and believed in nothing else.

Its people, approvals, facts, usage and documents without their files are only kept to be shown and exported again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_jsonable_python
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from core.clock import now
from core.events import ConversationCreated, MessageCreated
from core.exports import CallRecord, ConversationFile, MessageRecord, TurnRecord
from core.ids import derived_id, new_id
from core.modes import DEFAULT
from core.permissions import Principal
from core.store import changes, conversations, documents, modes, outbox, streams
from core.store.documents import Upload
from core.store.renaming import By, Ids
from core.store.viewing import conversation_view, message_view
from core.store.work import Work
from core.tables.people import Membership
from core.tables.talk import Branch, Conversation, Import, Message, Participant
from core.tables.work import Round, ToolCall, Turn
from core.values import CallState, TurnState, Value
from core.views import ConversationView

ORIGIN = "import"
"""What stands for the channel of a conversation that came from a file."""
_PART = 500
_OPEN_CALLS = {CallState.PROPOSED, CallState.AWAITING, CallState.RUNNING}


@dataclass(frozen=True)
class Source:
    """What somebody brings: the file, what identifies it, and its documents that are stored already, by file id."""

    file: ConversationFile
    sha256: str
    client_key: str
    uploads: Mapping[str, Upload] = field(default_factory=dict)


def conversation_id_for(who: Principal, sha256: str, client_key: str) -> str:
    """Name the conversation that a file becomes: the same person, file and key make the same one."""
    return derived_id("cnv", who.workspace_id, who.user_id, "import", client_key, sha256)


async def there(session: AsyncSession, who: Principal, conversation_id: str) -> ConversationView | None:
    """Give the conversation that the file became before, if it did; also when it was deleted since."""
    row = await session.get(Conversation, conversation_id)
    return conversation_view(row) if row is not None and row.owner_id == who.user_id else None


async def keep(work: Work, who: Principal, source: Source) -> tuple[ConversationView, bool]:
    """Write the conversation, or give the one that the file became before; whether it was there. Raises Invalid."""
    new = conversation_id_for(who, source.sha256, source.client_key)
    await work.session.get(Membership, who.membership_id, with_for_update=True)  # one import of a person at a time
    before = await there(work.session, who, new)
    if before is not None:
        return before, True
    ids = Ids(source.file, new)
    row = await _conversation(work, who, source.file, ids)
    people = {one.key: one.name for one in source.file.people}
    by = By(source.file.conversation.owner, people, ids)
    await _turns(work, who, source.file, ids, by)
    await _messages(work, who, source.file, ids, by)
    await _calls(work, who, source.file, ids)
    await _documents(work, who, source, by)
    view = await _tell(work, row)
    carried = _carried(source, ids, people) | {"by": by.others}
    work.session.add(
        Import(
            conversation_id=new,
            user_id=who.user_id,
            sha256=source.sha256,
            client_key=source.client_key,
            carried=carried,
            created_at=now(),
        )
    )
    changes.note(work, "conversation", new)
    return view, False


async def _conversation(work: Work, who: Principal, file: ConversationFile, ids: Ids) -> Conversation:
    conversations.check_may_talk(who)
    told = file.conversation
    known = await modes.perhaps(work.session, who.workspace_id, told.mode)
    numbers = [one.position for one in file.messages] + [one.place for one in file.turns]
    numbers += [max(one.forked_at, one.begun_at) for one in file.branches]
    row = Conversation(
        **ids.of(told, owner_id=who.user_id, mode=told.mode if known else DEFAULT),
        workspace_id=who.workspace_id,
        epoch=new_id("ep"),
        last_seq=max(numbers, default=0),
    )
    row.origin_channel = ORIGIN
    work.session.add(row)
    await work.session.flush()
    work.session.add(Participant(conversation_id=row.id, user_id=who.user_id, joined_at=now()))
    await work.session.flush()
    return row


async def _turns(work: Work, who: Principal, file: ConversationFile, ids: Ids, by: By) -> None:
    branches = []
    for one in file.branches:
        by.importer(one.by, one.id)
        branches.append(ids.of(one, conversation_id=ids[file.conversation.id], created_by=who.user_id))
    await _write(work, Branch, branches)
    await _write(work, Turn, (_turn(who, file, one, ids, by) for one in file.turns))
    replies = {one.turn_id: one for one in file.messages if one.role == "assistant"}
    await _write(work, Round, _rounds(file, ids, replies))


def _turn(who: Principal, file: ConversationFile, one: TurnRecord, ids: Ids, by: By) -> dict[str, Any]:
    """What had not ended when the file was written has no workflow here: it counts as stopped."""
    by.importer(one.by, one.id)
    state = one.state if one.state.is_terminal else TurnState.STOPPED
    return ids.of(
        one,
        conversation_id=ids[file.conversation.id],
        workspace_id=who.workspace_id,
        user_id=who.user_id,
        state=state,
        lease_epoch=0,
        wants_lease=False,
        ended_at=one.ended_at or now(),
    )


def _rounds(file: ConversationFile, ids: Ids, replies: Mapping[str, MessageRecord]) -> Iterable[dict[str, Any]]:
    """Give the model calls that the turns must have had: later turns read what was answered from them."""
    called: dict[str, set[int]] = {}
    for call in file.calls:
        called.setdefault(call.turn_id, set()).add(call.round)
    for turn in file.turns:
        numbers = sorted(called.get(turn.id, ()))
        reply = replies.get(turn.id)
        texts = dict.fromkeys(numbers, "")
        if reply is not None and turn.state is TurnState.FINISHED:
            texts[max(numbers, default=-1) + 1] = reply.text
        for number, text in texts.items():
            yield {
                "turn_id": ids[turn.id],
                "number": number,
                "attempt": 1,
                "text": text,
                "model": (reply.model if reply else None) or "imported",
                "started_at": turn.created_at,
                "ended_at": turn.ended_at or turn.created_at,
            }


async def _messages(work: Work, who: Principal, file: ConversationFile, ids: Ids, by: By) -> None:
    conversation_id = ids[file.conversation.id]
    rows = [
        ids.of(
            one,
            conversation_id=conversation_id,
            workspace_id=who.workspace_id,
            author_id=who.user_id if by.importer(one.by, one.id) else None,
        )
        for one in file.messages
    ]
    await _write(work, Message, rows)
    for row in rows:
        known = {name: value for name, value in row.items() if name != "by"}
        streams.put(work, conversation_id, row["position"], MessageCreated(message=message_view(Message(**known))))
    await work.session.flush()


async def _calls(work: Work, who: Principal, file: ConversationFile, ids: Ids) -> None:
    await _write(work, ToolCall, (_call(who, file, one, ids) for one in file.calls))


def _call(who: Principal, file: ConversationFile, one: CallRecord, ids: Ids) -> dict[str, Any]:
    return ids.of(
        one,
        conversation_id=ids[file.conversation.id],
        workspace_id=who.workspace_id,
        user_id=who.user_id,
        state=CallState.NOT_RUN if one.state in _OPEN_CALLS else one.state,
    )


async def _documents(work: Work, who: Principal, source: Source, by: By) -> None:
    """Add the documents whose files came along; they are read anew."""
    for one in source.file.documents:
        by.importer(one.by, one.id)
        upload = source.uploads.get(one.id)
        if upload is not None:
            row = documents.row_of(who, upload)
            row.created_at = one.created_at
            work.session.add(row)
            await work.session.flush()
            outbox.put(work, outbox.READ_DOCUMENT, row.id, {"document_id": row.id})


def document_id_for(conversation_id: str, old: str) -> str:
    """Name the document that one of a file becomes."""
    return derived_id("doc", conversation_id, old)


async def _tell(work: Work, row: Conversation) -> ConversationView:
    view = conversation_view(row)
    await conversations.tell(work, row, ConversationCreated(conversation=view))
    return view


def _carried(source: Source, ids: Ids, people: Mapping[str, str]) -> dict[str, Any]:
    """Give what is kept as the file's word, people by their names; True is the owner, now whoever imports."""

    def person(key: str | None) -> str | bool | None:
        return True if key == source.file.conversation.owner else people.get(key or "")

    def records(found: Sequence[Value], *persons: str) -> list[dict[str, Any]]:
        kept = []
        for one in found:
            known = ids.of(one)
            kept.append({**known, **{name: person(known[name]) for name in persons}})
        return kept

    file = source.file
    left = [one.model_copy(update={"file": None}) for one in file.documents if one.id not in source.uploads]
    carried = {
        "approvals": records(file.approvals, "requested_by", "decided_by"),
        "facts": records(file.facts),
        "usage": records(file.usage),
        "documents": records(left, "by"),
    }
    found: dict[str, Any] = to_jsonable_python(carried)
    return found


async def _write(work: Work, table: type[SQLModel], rows: Iterable[Mapping[str, Any]]) -> None:
    columns = set(table.model_fields)
    part: list[dict[str, Any]] = []
    for row in rows:
        part.append({name: value for name, value in row.items() if name in columns})
        if len(part) == _PART:
            await work.session.execute(insert(table), part)
            part = []
    if part:
        await work.session.execute(insert(table), part)
