"""Reads uploaded documents: the activity of `ReadDocument`, and the sweep of files that nobody wants any more."""

import asyncio
import os
import time
from pathlib import Path

import structlog
from temporalio import activity

from core.faults import crash_point
from core.messages import DocumentFailure
from core.rooms import Rooms
from core.store import chunks, documents
from core.store.chunks import Piece
from core.store.database import Database
from core.store.work import change
from core.tables.memory import Document
from workers.heartbeat import beating
from workers.reading.bounds import BOUNDS, Bounds, Unreadable
from workers.reading.process import read

AT_ONCE = 2
BATCH = 50
SHOW_SECONDS = 0.5
SWEEP_SECONDS = 600.0
GRACE_SECONDS = 3600.0
"""A file without a document is left alone for so long: it may be on its way in."""
_PART = 500
_GONE = "The file is not there any more."
_log = structlog.get_logger()


class Reader:
    """Reads files of the uploads folder into SQL, few at a time."""

    def __init__(self, database: Database, rooms: Rooms, folder: Path, bounds: Bounds = BOUNDS) -> None:
        """Take where documents are kept, where their files are, and who is told."""
        self._database = database
        self._rooms = rooms
        self._folder = folder
        self._bounds = bounds
        self._places = asyncio.Semaphore(AT_ONCE)

    @activity.defn(name="read_document")
    async def read_document(self, document_id: str) -> None:
        """Take a document's text out and store it in pieces; made twice, it goes on where it was."""
        async with beating(), self._places:
            async with change(self._database, self._rooms) as work:
                document = await chunks.begin(work, document_id)
            if document is None:
                return
            crash_point("document.begun")
            try:
                await self._read(document)
            except Unreadable as error:
                await self._fail(document_id, str(error))

    @activity.defn(name="fail_document")
    async def fail_document(self, failure: DocumentFailure) -> None:
        """Say that a document could not be read, for a reason of ours."""
        await self._fail(failure.document_id, failure.detail)

    async def _read(self, document: Document) -> None:
        path = self._folder / document.storage_key
        if not document.storage_key or not await asyncio.to_thread(path.is_file):
            raise Unreadable(_GONE)
        text = await read(path, document.media_type, self._bounds)
        if await self._store(document.id, text.pieces):
            async with change(self._database, self._rooms) as work:
                await chunks.finish(work, document.id, pages=text.pages, note=text.note)
            crash_point("document.ready")

    async def _store(self, document_id: str, pieces: tuple[Piece, ...]) -> bool:
        """Write the pieces, a batch in each commit; tell how far it is at most twice a second."""
        async with self._database.reading() as session:
            done = await chunks.count(session, document_id)
        shown = 0.0
        for first in range(done, len(pieces), BATCH):
            show = time.monotonic() - shown >= SHOW_SECONDS
            async with change(self._database, self._rooms) as work:
                batch = pieces[first : first + BATCH]
                if not await chunks.add(work, document_id, first, batch, len(pieces), show=show):
                    return False
            crash_point("document.stored")
            shown = time.monotonic() if show else shown
        return True

    async def _fail(self, document_id: str, detail: str) -> None:
        async with change(self._database, self._rooms) as work:
            await chunks.fail(work, document_id, detail)

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep now and again, until stopped."""
        while not stop.is_set():
            try:
                await self.sweep()
            except Exception:  # noqa: BLE001 - upkeep outlives any single fault, and logs it
                _log.exception("the sweep of uploads failed; it goes on")
            try:
                await asyncio.wait_for(stop.wait(), SWEEP_SECONDS)
            except TimeoutError:
                continue

    async def sweep(self, grace_seconds: float = GRACE_SECONDS) -> int:
        """Erase files that no document has: of uploads and deletions that a crash cut off. Returns how many."""
        old = await asyncio.to_thread(_older_than, self._folder, grace_seconds)
        erased = 0
        for first in range(0, len(old), _PART):
            part = old[first : first + _PART]
            async with self._database.reading() as session:
                unwanted = set(part) - await documents.kept(session, part)
            for name in unwanted:
                await asyncio.to_thread((self._folder / name).unlink, missing_ok=True)
            erased += len(unwanted)
        return erased


def _older_than(folder: Path, seconds: float) -> list[str]:
    """Give the files that have not been written for so long."""
    if not folder.is_dir():
        return []
    border = time.time() - seconds
    with os.scandir(folder) as found:
        return [one.name for one in found if one.is_file(follow_symlinks=False) and one.stat().st_mtime <= border]
