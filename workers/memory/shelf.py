"""One table of the index in LanceDB: its columns and indexes, looking things up, learning and forgetting rows.

Filters are typed expressions, never strings: `tests/workers/memory/test_no_string_filters.py` holds it.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from lancedb import AsyncConnection, AsyncTable
from lancedb.expr import Expr, col, lit
from lancedb.index import FTS, Bitmap, BTree, IvfRq
from lancedb.query import MatchQuery

from core.store.remembered import Remembered
from workers.memory.port import Vector

VECTOR_INDEX_FROM = 30_000
"""So many rows ask for a vector index: reading those of one heavy user one by one then takes too long."""
REFINE = 10
PROBES = 20
AT_ONCE = 500
"""Ids in one filter."""
_INDEXED: dict[str, Any] = {
    "id": BTree(),
    "ref": BTree(),
    "workspace_id": Bitmap(),
    "user_id": BTree(),
    "conversation_id": BTree(),
}
# ICU finds words in any script; English stems are what the default tokenizer knows as well.
_WORDS = FTS(base_tokenizer="icu")
_NEAR = IvfRq(distance_type="cosine")
NOWHERE = ""
"""The conversation of what belongs to none."""


@dataclass(frozen=True)
class Found:
    """A row that a search found. `score`: higher is better; of vectors the cosine, of words BM25."""

    id: str
    score: float
    conversation_id: str | None
    created_at: datetime


@dataclass(frozen=True)
class Difference:
    """What has to change for the table to hold the truth: rows to remove, by id, and rows to add."""

    remove: list[str]
    add: list[Remembered]


class Shelf:
    """One open table. Only the one writer calls what changes it."""

    def __init__(self, table: AsyncTable) -> None:
        """Keep the table."""
        self._table = table

    @classmethod
    async def create(cls, connection: AsyncConnection, name: str, dimension: int) -> "Shelf":
        """Make an empty table with its indexes; one of that name is replaced."""
        table = await connection.create_table(name, schema=_schema(dimension), mode="overwrite")
        shelf = cls(table)
        await shelf.index()
        return shelf

    @classmethod
    async def open(cls, connection: AsyncConnection, name: str) -> "Shelf":
        """Open a table; raises what LanceDB raises when it is not there or broken."""
        return cls(await connection.open_table(name))

    # Looking up

    async def near(self, vector: Vector, where: Expr, limit: int) -> list[Found]:
        """Give the rows with the nearest vectors, nearest first."""
        query = self._table.query().nearest_to(np.array(vector, dtype=np.float32)).distance_type("cosine")
        query = query.where(where).nprobes(PROBES).refine_factor(REFINE).limit(limit)
        rows = await query.select([*_SHOWN, "_distance"]).to_list()
        return [_found(row, 1.0 - row["_distance"]) for row in rows]

    async def saying(self, text: str, where: Expr, limit: int) -> list[Found]:
        """Give the rows that share words with the text, best first."""
        words = MatchQuery(text, "text")  # type: ignore[call-arg]  # a bare string with quotes would ask for a phrase
        query = self._table.query().nearest_to_text(words).where(where).limit(limit)
        rows = await query.select([*_SHOWN, "_score"]).to_list()
        return [_found(row, row["_score"]) for row in rows]

    async def refresh(self) -> None:
        """See what other processes wrote."""
        await self._table.checkout_latest()  # type: ignore[no-untyped-call]

    # Learning and forgetting

    async def compare(self, refs: Iterable[str], wanted: Sequence[Remembered]) -> Difference:
        """Tell what has to change so that the table holds exactly `wanted` of these refs."""
        truth = {row.id: row for row in wanted}
        there: set[str] = set()
        remove: set[str] = set()
        for where in _any_of("ref", refs):
            rows = self._table.query().where(where).select(["id", "text", "user_id", "conversation_id"])
            for row in await rows.to_list():
                same = row["id"] in truth and row["id"] not in there and _is_same(row, truth[row["id"]])
                (there if same else remove).add(row["id"])
        there -= remove
        return Difference(sorted(remove), [row for row in truth.values() if row.id not in there])

    async def in_conversations(self, conversation_ids: Iterable[str]) -> list[str]:
        """Give the ids of all rows of these conversations."""
        found: list[str] = []
        for where in _any_of("conversation_id", conversation_ids):
            found += [row["id"] for row in await self._table.query().where(where).select(["id"]).to_list()]
        return found

    async def fragments(self, ids: Iterable[str]) -> set[int]:
        """Name the pieces of the table in which these rows stand."""
        found: set[int] = set()
        for where in _any_of("id", ids):
            rows = self._table.query().with_row_address().where(where).select(["id", "_rowaddr"])
            found |= {row["_rowaddr"] >> 32 for row in await rows.to_list()}
        return found

    async def remove(self, ids: Iterable[str]) -> None:
        """Remove rows; their text stays in the files until `purge`."""
        for where in _any_of("id", ids):
            await self._table.delete(where)

    async def add(self, rows: Sequence[Remembered], vectors: Sequence[Vector]) -> None:
        """Add rows with their vectors."""
        if rows:
            await self._table.add(await asyncio.to_thread(_as_arrow, rows, vectors))

    async def remove_after(self, row_id: str) -> None:
        """Remove the rows whose ids come after this one: what a build that was cut off has not noted."""
        await self._table.delete(col("id") > lit(row_id))

    # Upkeep

    async def index(self) -> None:
        """Make the indexes."""
        for column, kind in _INDEXED.items():
            await self._table.create_index(column, config=kind)
        await self._table.create_index("text", config=_WORDS)

    async def tidy(self, keep_versions: timedelta) -> None:
        """Join small files, bring the indexes up to date, remove versions older than `keep_versions`."""
        names = {tuple(one.columns) for one in await self._table.list_indices()}
        if ("vector",) not in names and await self._table.count_rows() >= VECTOR_INDEX_FROM:
            await self._table.create_index("vector", config=_NEAR)
        await self._table.optimize(cleanup_older_than=keep_versions, delete_unverified=True)

    async def purge(self, fragments: Iterable[int]) -> None:
        """Write these pieces anew without what was removed from them, then the indexes, and remove all old versions."""
        for fragment in sorted(fragments):
            rest = await self._table.query().fragment_ids([fragment]).to_arrow()
            for batch in rest.to_batches(max_chunksize=10_000):
                merge = self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
                await merge.execute(pa.Table.from_batches([batch]))
        await self._table.create_index("text", config=_WORDS)  # the old one knows removed words
        if any(tuple(one.columns) == ("vector",) for one in await self._table.list_indices()):
            await self._table.create_index("vector", config=_NEAR)
        await self.tidy(timedelta(milliseconds=1))

    # Checking

    async def count(self) -> int:
        """Count all rows."""
        return int(await self._table.count_rows())

    async def some(self, limit: int, offset: int) -> list[dict[str, Any]]:
        """Give some rows from a place on, for a check: id and text."""
        return list(await self._table.query().select(["id", "text"]).offset(offset).limit(limit).to_list())

    async def try_out(self) -> None:
        """Find one row by each index there is; raises whatever LanceDB raises when one of them is broken."""
        rows = await self._table.query().select([*_INDEXED, "text", "vector"]).limit(1).to_list()
        for row in rows:
            for name in _INDEXED:
                await self._table.query().where(col(name) == lit(row[name])).select(["id"]).limit(1).to_list()
            everything = col("workspace_id") == lit(row["workspace_id"])
            await self.saying(" ".join(row["text"].split()[:1]), everything, 1)
            await self.near(row["vector"], everything, 1)

    async def by_id(self, ids: Iterable[str]) -> list[dict[str, Any]]:
        """Give these rows, as often as they are there: id and text."""
        found: list[dict[str, Any]] = []
        for where in _any_of("id", ids):
            found += await self._table.query().where(where).select(["id", "text"]).to_list()
        return found


_SHOWN = ["id", "conversation_id", "created_at"]


def _schema(dimension: int) -> pa.Schema:
    text = pa.string()
    names = ("id", "ref", "workspace_id", "user_id", "conversation_id")
    return pa.schema([
        *(pa.field(name, text, nullable=False) for name in names),
        pa.field("created_at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("text", text, nullable=False),
        pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False),
    ])  # fmt: skip


def _as_arrow(rows: Sequence[Remembered], vectors: Sequence[Vector]) -> pa.Table:
    numbers = np.array(vectors, dtype=np.float32)
    columns: dict[str, Any] = {
        name: [getattr(row, name) for row in rows] for name in ("id", "ref", "workspace_id", "user_id")
    }
    columns["conversation_id"] = [row.conversation_id or NOWHERE for row in rows]
    columns["created_at"] = [row.created_at for row in rows]
    columns["text"] = [row.text for row in rows]
    columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), numbers.shape[1])
    return pa.table(columns, schema=_schema(numbers.shape[1]))


def _any_of(column: str, values: Iterable[str]) -> Iterable[Expr]:
    every = sorted(set(values))
    for at in range(0, len(every), AT_ONCE):
        yield col(column).isin([lit(value) for value in every[at : at + AT_ONCE]])


def _is_same(row: dict[str, Any], truth: Remembered) -> bool:
    return (row["text"], row["user_id"], row["conversation_id"]) == (
        truth.text,
        truth.user_id,
        truth.conversation_id or NOWHERE,
    )


def _found(row: dict[str, Any], score: float) -> Found:
    return Found(row["id"], score, row["conversation_id"] or None, row["created_at"])
