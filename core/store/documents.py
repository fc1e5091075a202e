"""Documents in SQL: who sees and changes them, and how far reading them is."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Invalid, NotAllowed, NotFound
from core.events import DocumentUpdated
from core.permissions import Principal, Role
from core.store import changes, messages, outbox, streams
from core.store.visibility import sees_document
from core.store.work import Work
from core.tables.memory import Chunk, Document
from core.tables.people import Membership
from core.tables.talk import Conversation
from core.views import DocumentView

RECEIVED, READING, READY, FAILED = "received", "reading", "ready", "failed"


@dataclass(frozen=True)
class Upload:
    """A file that is stored already. `storage_key` names it in the uploads folder."""

    id: str
    conversation_id: str | None
    name: str
    media_type: str
    size: int
    sha256: str
    storage_key: str


async def check_may_add(session: AsyncSession, who: Principal, conversation_id: str | None) -> None:
    """Raise NotFound or NotAllowed unless the person may add a document there; a viewer may nowhere."""
    if not who.may_talk:
        message = "A viewer reads only."
        raise NotAllowed(message)
    if conversation_id is not None:
        await messages.check_visible(session, who, conversation_id)


async def add(work: Work, who: Principal, upload: Upload) -> DocumentView:
    """Add a stored file, and have it read. Raises NotFound, NotAllowed."""
    await check_may_add(work.session, who, upload.conversation_id)
    row = row_of(who, upload)
    work.session.add(row)
    await work.session.flush()
    outbox.put(work, outbox.READ_DOCUMENT, row.id, {"document_id": row.id})
    await tell(work, row)
    return view_of(row)


def row_of(who: Principal, upload: Upload) -> Document:
    """Make the row of a stored file that is this person's."""
    at = now()
    return Document(
        id=upload.id,
        workspace_id=who.workspace_id,
        conversation_id=upload.conversation_id,
        owner_id=who.user_id,
        name=upload.name,
        media_type=upload.media_type,
        size=upload.size,
        sha256=upload.sha256,
        storage_key=upload.storage_key,
        state=RECEIVED,
        created_at=at,
        updated_at=at,
    )


async def page(
    session: AsyncSession, who: Principal, *, conversation_id: str | None, limit: int, cursor: str | None
) -> tuple[list[DocumentView], str | None, int]:
    """Give the documents that a person sees (of one conversation), newest first; the next cursor; the true total."""
    where = [sees_document(who)]
    if conversation_id is not None:
        await messages.check_visible(session, who, conversation_id)
        where.append(Document.conversation_id == conversation_id)
    total = (await session.execute(select(func.count()).select_from(Document).where(*where))).scalar_one()
    if cursor is not None:
        if not cursor.startswith("doc_"):
            message = "This is not a cursor that a list gave."
            raise Invalid(message)
        where.append(Document.id < cursor)
    statement = select(Document).where(*where).order_by(Document.id.desc()).limit(limit + 1)
    rows = list((await session.execute(statement)).scalars())
    following = rows[limit - 1].id if len(rows) > limit else None
    return [view_of(row) for row in rows[:limit]], following, total


async def one(session: AsyncSession, who: Principal, document_id: str) -> DocumentView:
    """Give one document that the person sees; raises NotFound."""
    return view_of(await _load(session, who, document_id))


async def stored(session: AsyncSession, who: Principal, document_id: str) -> tuple[DocumentView, str]:
    """Give a document that the person sees, and where its file is; raises NotFound."""
    row = await _load(session, who, document_id)
    return view_of(row), row.storage_key


async def of_conversation(session: AsyncSession, conversation_id: str) -> Sequence[Document]:
    """Give a conversation's documents, oldest first. The caller has checked who asks."""
    statement = (
        select(Document)
        .where(Document.conversation_id == conversation_id, Document.deleted_at.is_(None))
        .order_by(Document.id)
    )
    return (await session.execute(statement)).scalars().all()


async def remove(work: Work, who: Principal, document_id: str) -> tuple[DocumentView, str]:
    """Hide a document at once and drop its text; whose it is and admins may. Gives its storage key: erase the file.

    Raises NotFound, NotAllowed.
    """
    row = await _load(work.session, who, document_id, lock=True)
    if row.owner_id != who.user_id and who.role not in {Role.OWNER, Role.ADMIN}:
        message = "Only whose document it is, an admin or an owner may delete it."
        raise NotAllowed(message)
    if not who.may_talk:
        message = "A viewer reads only."
        raise NotAllowed(message)
    row.deleted_at = row.updated_at = now()
    row.chunks_done = row.chunks_total = 0
    await work.session.execute(delete(Chunk).where(Chunk.document_id == row.id))
    await work.session.flush()
    changes.note(work, "document", row.id)
    await tell(work, row)
    return view_of(row), row.storage_key


async def kept(session: AsyncSession, storage_keys: Sequence[str]) -> set[str]:
    """Give those of the storage keys whose file is still wanted."""
    statement = select(Document.storage_key).where(
        Document.storage_key.in_(storage_keys), Document.deleted_at.is_(None)
    )
    return set((await session.execute(statement)).scalars())


async def tell(work: Work, row: Document) -> None:
    """Tell the conversation, or everybody in the workspace, how a document is now."""
    event = DocumentUpdated(document=view_of(row))
    if row.conversation_id is not None:
        await streams.append(work, row.conversation_id, event)
        return
    statement = (
        select(Membership.id)
        .where(Membership.workspace_id == row.workspace_id, Membership.disabled_at.is_(None))
        .order_by(Membership.id)
    )
    for membership_id in (await work.session.execute(statement)).scalars().all():
        await streams.notify(work, membership_id, event)


def view_of(row: Document) -> DocumentView:
    """Show a document."""
    return DocumentView.model_validate(row.model_dump(include=set(DocumentView.model_fields)))


async def _load(session: AsyncSession, who: Principal, document_id: str, *, lock: bool = False) -> Document:
    if lock:
        await _lock_conversation(session, document_id)
    statement = select(Document).where(Document.id == document_id, sees_document(who))
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        message = "There is no such document."
        raise NotFound(message)
    return row


async def _lock_conversation(session: AsyncSession, document_id: str) -> None:
    """Lock what the event's number will lock, before the document: all who write lock in this order."""
    of_it = select(Document.conversation_id).where(Document.id == document_id).scalar_subquery()
    await session.execute(select(Conversation.id).where(Conversation.id == of_it).with_for_update())


async def locked(work: Work, document_id: str) -> Document | None:
    """Give a document that is there for a worker's step, locked; None when it is not any more."""
    await _lock_conversation(work.session, document_id)
    statement = (
        select(Document)
        .where(Document.id == document_id, Document.deleted_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await work.session.execute(statement)).scalar_one_or_none()
