"""Answers a question of a process without memory: the activity of `Lookup`."""

from temporalio import activity

from core.errors import AssentError
from core.messages import Found, LookupAnswer
from core.store import lookups
from core.store.database import Database
from workers.memory.port import Embedder, Hit, Index, MemoryUnavailable, Scope
from workers.memory.recall import FAR

LIMIT = 50
_NONE = "Memory is switched off."
_NOBODY = "Nobody waits for this any more."


class Answerer:
    """Looks up in memory what others ask for."""

    def __init__(self, database: Database, embedder: Embedder | None, index: Index | None) -> None:
        """Take where questions are kept, and what answers them; None: this process has no memory."""
        self._database = database
        self._embedder, self._index = embedder, index

    @activity.defn(name="look_up")
    async def look_up(self, lookup_id: str) -> LookupAnswer:
        """Give the ids of messages that mean what is looked for; SQL has the last word on who sees them.

        The nearest of all need not be near: what is less alike than FAR is left out, whatever words it shares.
        """
        async with self._database.reading() as session:
            asked = await lookups.get(session, lookup_id)
        if asked is None:
            return LookupAnswer(reason=_NOBODY)
        scope = Scope(
            workspace_id=asked.workspace_id,
            user_id=asked.user_id,
            conversation_id=asked.conversation_id or "",
            alone=asked.conversation_id is None,
        )
        try:
            hits = await self._search(scope, asked.text)
        except AssentError as error:
            return LookupAnswer(reason=error.detail)
        return LookupAnswer(found=tuple(Found(id=hit.id, score=hit.score) for hit in hits))

    async def _search(self, scope: Scope, text: str) -> list[Hit]:
        if self._embedder is None or self._index is None:
            raise MemoryUnavailable(_NONE)
        [vector] = await self._embedder.embed([text])
        hits = await self._index.search(scope, text, vector, kinds=("message",), limit=LIMIT)
        return [hit for hit in hits if hit.similarity is not None and hit.similarity >= FAR]
