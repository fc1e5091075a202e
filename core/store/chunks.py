"""A document's text in SQL, piece by piece as it is read: each step may be made twice, by two workers."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.ids import derived_id
from core.store import changes
from core.store.documents import FAILED, READING, READY, locked, tell
from core.store.work import Work
from core.tables.memory import Chunk, Document


@dataclass(frozen=True)
class Piece:
    """A piece of text, and the page (from 1) that it begins on, where there are pages."""

    text: str
    page: int | None = None


async def begin(work: Work, document_id: str) -> Document | None:
    """Say that a document is being read; None when there is nothing to read (any more)."""
    row = await locked(work, document_id)
    if row is None or row.state in {READY, FAILED}:
        return None
    if row.state != READING:
        row.state, row.updated_at = READING, now()
        await work.session.flush()
        await tell(work, row)
    return row


async def add(work: Work, document_id: str, first: int, pieces: Sequence[Piece], total: int, *, show: bool) -> bool:
    """Write the pieces from number `first` (from 0) on that are not there yet; False when it is to be read no more.

    With `show` the document, and everybody who sees it, learns how far it is.
    """
    row = await locked(work, document_id)
    if row is None or row.state != READING:
        return False
    there = await count(work.session, document_id)
    for number, piece in enumerate(pieces, first):
        if number >= there:
            chunk_id = derived_id("chk", document_id, number)
            work.session.add(
                Chunk(id=chunk_id, document_id=document_id, number=number, page=piece.page, text=piece.text)
            )
    done = max(there, first + len(pieces))
    if show and (row.chunks_done, row.chunks_total) != (done, total):
        row.chunks_done, row.chunks_total, row.updated_at = done, total, now()
        await work.session.flush()
        await tell(work, row)
    return True


async def count(session: AsyncSession, document_id: str) -> int:
    """Count the pieces that are there: those from 0 on, without a gap."""
    statement = select(func.count()).select_from(Chunk).where(Chunk.document_id == document_id)
    return (await session.execute(statement)).scalar_one()


async def finish(work: Work, document_id: str, *, pages: int | None, note: str | None) -> None:
    """Say that all of a document is read, and let memory learn it; `note` is what did not go well, if anything."""
    row = await locked(work, document_id)
    if row is None or row.state != READING:
        return
    row.chunks_done = row.chunks_total = await count(work.session, document_id)
    row.state, row.pages, row.detail, row.updated_at = READY, pages, note, now()
    await work.session.flush()
    changes.note(work, "document", document_id)
    await tell(work, row)


async def fail(work: Work, document_id: str, detail: str) -> None:
    """Say why a document cannot be read; of what was read of it already nothing is kept."""
    row = await locked(work, document_id)
    if row is None or row.state in {READY, FAILED}:
        return
    await work.session.execute(delete(Chunk).where(Chunk.document_id == document_id))
    row.state, row.detail, row.updated_at = FAILED, detail, now()
    row.chunks_done = row.chunks_total = 0
    await work.session.flush()
    await tell(work, row)


async def of_document(session: AsyncSession, document_id: str, *, after: int, limit: int) -> Sequence[Chunk]:
    """Give a document's pieces after a number, in order. The caller has checked who asks."""
    statement = (
        select(Chunk).where(Chunk.document_id == document_id, Chunk.number > after).order_by(Chunk.number).limit(limit)
    )
    return (await session.execute(statement)).scalars().all()
