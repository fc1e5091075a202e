"""An index that knows no bounds: it gives whatever SQL has, of everybody, deleted and forgotten alike."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import select

from core.clock import now
from core.store.database import Database
from core.tables.memory import Chunk, Fact
from core.tables.talk import Message
from tests.doubles.embedder import WordEmbedder
from workers.memory.port import Hit, HitKind, Scope, Vector


class BoundlessIndex:
    """Ranks by likeness alone. `error` is raised instead; `never` waits for ever."""

    def __init__(self, database: Database, embedder: WordEmbedder) -> None:
        self._database = database
        self._embedder = embedder
        self.error: Exception | None = None
        self.never = False
        self.asked: list[tuple[Scope, str]] = []

    async def search(
        self, scope: Scope, text: str, vector: Vector | None, *, kinds: Sequence[HitKind], limit: int
    ) -> list[Hit]:
        self.asked.append((scope, text))
        if self.error is not None:
            raise self.error
        if self.never:
            await asyncio.Event().wait()
        rows: list[tuple[HitKind, str, str, str | None]] = []
        async with self._database.reading() as session:
            for row in (await session.execute(select(Message))).scalars():
                rows += [("message", row.id, row.text, row.conversation_id)]
            for fact in (await session.execute(select(Fact))).scalars():
                rows += [("fact", fact.id, fact.text, fact.conversation_id)]
            for chunk in (await session.execute(select(Chunk))).scalars():
                rows += [("document", chunk.id, chunk.text, None)]
        found = [(await self._likeness(vector, text), kind, ref, where) for kind, ref, text, where in rows]
        found.sort(reverse=True, key=lambda one: one[0])
        return [
            Hit(kind, ref, 1 / (60 + place), place, None, conversation_id, now(), likeness)
            for place, (likeness, kind, ref, conversation_id) in enumerate(found[:limit], 1)
        ]

    async def _likeness(self, vector: Vector | None, text: str) -> float:
        assert vector is not None
        [other] = await self._embedder.embed([text])
        return sum(one * two for one, two in zip(vector, other, strict=True))
