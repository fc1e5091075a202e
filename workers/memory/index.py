"""The index as it is asked: hybrid search in LanceDB, within what a scope may see."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from pathlib import Path

import lancedb
import structlog
from lancedb import AsyncConnection
from lancedb.expr import Expr, col, lit

from core.store.remembered import SHELVES
from core.store.remembered import Shelf as ShelfName
from workers.memory.fusion import fuse
from workers.memory.place import Edition, Place
from workers.memory.port import Hit, HitKind, MemoryUnavailable, Scope, Vector
from workers.memory.shelf import NOWHERE, Found, Shelf

SEEN_WITHIN = timedelta(seconds=1)
"""What another process wrote is seen after so long."""
OVERSHOOT = 2
"""Each list is so much longer than what is asked for: fusion needs the lower places, and twins fall away."""
QUESTION_WORDS = 60
_SHELF_OF: dict[HitKind, ShelfName] = {"message": "messages", "fact": "facts", "document": "documents"}
_log = structlog.get_logger()


class LanceIndex:
    """One connection for a process; notices by itself that a rebuild has put new tables in place."""

    def __init__(self, folder: Path, seen_within: timedelta = SEEN_WITHIN) -> None:
        """Keep the folder; it is opened at the first search."""
        self._place = Place(folder)
        self._seen_within = seen_within
        self._connection: AsyncConnection | None = None
        self._signature: tuple[int, int] | None = None
        self._shelves: dict[ShelfName, Shelf] = {}
        self._edition: Edition | None = None
        self._opening = asyncio.Lock()

    async def search(
        self, scope: Scope, text: str, vector: Vector | None, *, kinds: Sequence[HitKind], limit: int
    ) -> list[Hit]:
        """Give the best hits, vectors and words fused by rank, best first. Raises MemoryUnavailable.

        A vector of another length than the index's is left out: it is another model's, and a rebuild is on its way.
        """
        wheres = {kind: where for kind in dict.fromkeys(kinds) if (where := _visible(scope, kind)) is not None}
        try:
            return await self._search(wheres, text, vector, limit)
        except MemoryUnavailable:
            raise
        except Exception as problem:  # noqa: BLE001  LanceDB raises whatever; files may just have been replaced
            _log.info("a search is tried again", error=type(problem).__name__)
        try:
            await self._reopen()
            return await self._search(wheres, text, vector, limit)
        except MemoryUnavailable:
            raise
        except Exception as problem:
            _log.warning("the index does not answer", error=str(problem)[:300])
            message = "Memory's index does not answer; it is rebuilt by itself."
            raise MemoryUnavailable(message) from problem

    async def _search(self, wheres: dict[HitKind, Expr], text: str, vector: Vector | None, limit: int) -> list[Hit]:
        edition = await self._current()
        words = " ".join(text.split()[:QUESTION_WORDS])
        near: list[Awaitable[list[Found]]] = []
        saying: list[Awaitable[list[Found]]] = []
        for kind, where in wheres.items():
            shelf = self._shelves[_SHELF_OF[kind]]
            if vector is not None and len(vector) == edition.dimension:
                near.append(shelf.near(vector, where, limit * OVERSHOOT))
            if words:
                saying.append(shelf.saying(words, where, limit * OVERSHOOT))
        found = await asyncio.gather(*near, *saying)
        order = list(wheres)
        vectors = [(kind, one) for kind, rows in zip(order, found[: len(near)], strict=False) for one in rows]
        texts = [[(kind, one) for one in rows] for kind, rows in zip(order, found[len(near) :], strict=False)]
        return fuse(vectors, texts)[:limit]

    async def _current(self) -> Edition:
        """Open the newest edition, unless it is open."""
        signature = self._place.signature()
        if self._edition is None or signature != self._signature:
            async with self._opening:
                if self._edition is None or signature != self._signature:
                    await self._open(signature)
        if self._edition is None:
            message = "Memory's index is not built yet."
            raise MemoryUnavailable(message)
        return self._edition

    async def _open(self, signature: tuple[int, int] | None) -> None:
        edition = self._place.edition()
        if edition is not None:
            if self._connection is None:
                self._connection = await connect(self._place.folder, self._seen_within)
            connection = self._connection
            opened = [await Shelf.open(connection, edition.table(shelf)) for shelf in SHELVES]
            self._shelves = dict(zip(SHELVES, opened, strict=True))
        self._edition, self._signature = edition, signature

    async def _reopen(self) -> None:
        async with self._opening:
            self._connection = None
            await self._open(self._place.signature())


async def connect(folder: Path, seen_within: timedelta = SEEN_WITHIN) -> AsyncConnection:
    """Open a folder of tables."""
    return await lancedb.connect_async(folder, read_consistency_interval=seen_within)


def _visible(scope: Scope, kind: HitKind) -> Expr | None:
    """Say what of a kind is in a scope; None when nothing is."""
    of_workspace = col("workspace_id") == lit(scope.workspace_id)
    mine = col("user_id") == lit(scope.user_id)
    here = col("conversation_id") == lit(scope.conversation_id)
    if kind == "message":
        return of_workspace & (mine if scope.alone else here)
    if kind == "fact":
        return of_workspace & mine if scope.alone else None
    everybodys = col("conversation_id") == lit(NOWHERE)
    return of_workspace & (everybodys | here | mine if scope.alone else everybodys | here)
