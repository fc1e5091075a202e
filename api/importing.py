"""Taking in a conversation that somebody exported: parsed and checked first, then stored at once or not at all."""

import asyncio
import io
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import IO

from starlette.requests import Request

from api.archives import Brought, document, unpacked
from api.uploads import bounded, stored
from core.faults import crash_point
from core.media import clean_name
from core.permissions import Principal
from core.rooms import Rooms
from core.settings import Settings
from core.store import conversations, imports
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.documents import Upload
from core.store.imports import Source
from core.store.work import Work, change
from core.values import Value
from core.views import ConversationView

_SPOOL = 1_000_000
_DOCUMENTS = 4
"""An archive may be so many times as large as one document may."""


class Imported(Value):
    """The conversation that the file became; `duplicate` when it had become it before."""

    conversation: ConversationView
    duplicate: bool


@dataclass(frozen=True)
class Importer:
    """What it works with."""

    settings: Settings
    database: Database
    rooms: Rooms
    audit: AuditTrail

    async def take_in(self, who: Principal, request: Request, client_key: str) -> Imported:
        """Import what the request carries. Raises Invalid, NotAllowed, TooLarge."""
        conversations.check_may_talk(who)
        most = self.settings.upload_bytes
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as file:
            async for part in bounded(request, _DOCUMENTS * most):
                await asyncio.to_thread(file.write, part)
            file.seek(0)
            brought = await asyncio.to_thread(unpacked, file, most)
            return await self._keep(who, brought, client_key)

    async def _keep(self, who: Principal, brought: Brought, client_key: str) -> Imported:
        conversation_id = imports.conversation_id_for(who, brought.sha256, client_key)
        async with self.database.reading() as session:
            before = await imports.there(session, who, conversation_id)
        if before is not None:
            return Imported(conversation=before, duplicate=True)
        async with AsyncExitStack() as keep:
            uploads = await self._store(keep, brought, conversation_id)
            crash_point("import.stored")
            source = Source(brought.file, brought.sha256, client_key, uploads)
            async with change(self.database, self.rooms) as work:
                view, duplicate = await imports.keep(work, who, source)
                if not duplicate:
                    await self._record(work, who, view, source)
            crash_point("import.committed")
            return Imported(conversation=view, duplicate=duplicate)

    async def _record(self, work: Work, who: Principal, view: ConversationView, source: Source) -> None:
        facts = {"sha256": source.sha256, "messages": len(source.file.messages), "documents": len(source.uploads)}
        await self.audit.record(work, who.workspace_id, who.user_id, "conversation.imported", view.id, **facts)

    async def _store(self, keep: AsyncExitStack, brought: Brought, conversation_id: str) -> dict[str, Upload]:
        uploads = {}
        for record in brought.file.documents:
            if brought.archive is None or record.file is None:
                continue
            name = clean_name(record.name)
            content: IO[bytes] = io.BytesIO(await asyncio.to_thread(document, brought.archive, record))
            kept = await keep.enter_async_context(stored(content, name, self.settings.uploads_dir))
            uploads[record.id] = Upload(
                id=imports.document_id_for(conversation_id, record.id),
                conversation_id=conversation_id,
                name=name,
                media_type=kept.media_type,
                size=kept.size,
                sha256=kept.sha256,
                storage_key=kept.key,
            )
        return uploads
