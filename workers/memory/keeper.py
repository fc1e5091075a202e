"""What the one writer does to the index's tables; everything here may be cut off anywhere and done again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from lancedb import AsyncConnection

from core.faults import crash_point
from core.store.remembered import SHELVES, Remembered, Truth
from core.store.remembered import Shelf as ShelfName
from workers.memory.index import connect
from workers.memory.place import Building, Edition, Place
from workers.memory.port import Embedder
from workers.memory.shelf import Difference, Shelf

KEEP_VERSIONS = timedelta(minutes=5)
"""A search that began before is done by then."""
EMBED_AT_ONCE = 64
ROWS_AT_ONCE = 512
"""What is embedded is written after so many rows: a restart loses no more than these."""
_log = structlog.get_logger()


@dataclass(frozen=True)
class Learned:
    """How many rows a batch added and removed."""

    added: int = 0
    removed: int = 0


class Keeper:
    """Open tables of the edition in place. Callers hold `place.writing()`."""

    def __init__(
        self, place: Place, connection: AsyncConnection, edition: Edition, shelves: dict[ShelfName, Shelf]
    ) -> None:
        """Keep the tables."""
        self._place = place
        self._connection = connection
        self.edition = edition
        self.shelves = shelves

    @classmethod
    async def open(cls, place: Place, edition: Edition) -> "Keeper":
        """Open the tables; raises whatever LanceDB raises when one is missing or broken."""
        connection = await connect(place.folder)
        opened = [await Shelf.open(connection, edition.table(name)) for name in SHELVES]
        return cls(place, connection, edition, dict(zip(SHELVES, opened, strict=True)))

    async def learn(self, truth: Truth, embedder: Embedder) -> Learned:
        """Make the tables hold the truth about what changed; what is there already is not embedded again."""
        added = removed = 0
        for name, shelf in self.shelves.items():
            difference, remove = await _compare(name, shelf, truth)
            await self._learn(name, shelf, difference.add, remove, embedder)
            added, removed = added + len(difference.add), removed + len(remove)
        return Learned(added, removed)

    async def _learn(
        self, name: ShelfName, shelf: Shelf, rows: Sequence[Remembered], remove: set[str], embedder: Embedder
    ) -> None:
        """Remove rows and add others, in parts: what is cut off, an import for instance, goes on where it was."""
        for at in range(0, max(len(rows), 1), ROWS_AT_ONCE):
            part = rows[at : at + ROWS_AT_ONCE]
            vectors = await embed(embedder, part)
            if at == 0:
                await self._remove(name, shelf, remove)
            await shelf.add(part, vectors)

    async def forget(self, truth: Truth) -> int:
        """Remove what is no longer true, and add nothing; gives how many rows went."""
        removed = 0
        for name, shelf in self.shelves.items():
            _, remove = await _compare(name, shelf, truth)
            await self._remove(name, shelf, remove)
            removed += len(remove)
        return removed

    async def _remove(self, name: ShelfName, shelf: Shelf, ids: set[str]) -> None:
        """Remove rows; where their text stands is noted before, so that a crash leaves nothing unerased."""
        if not ids:
            return
        pieces = self._place.to_erase()
        table = self.edition.table(name)
        pieces[table] = pieces.get(table, set()) | await shelf.fragments(ids)
        self._place.put_to_erase(pieces)
        crash_point("memory.removing")
        await shelf.remove(ids)

    async def tend(self) -> None:
        """Join files and erase removed text from the disk."""
        pieces = self._place.to_erase()
        for name, shelf in self.shelves.items():
            if some := pieces.get(self.edition.table(name)):
                await shelf.purge(some)
            else:
                await shelf.tidy(KEEP_VERSIONS)
        await drop_others(self._connection, self.edition)
        self._place.clear_quarantine(everything=bool(pieces))
        self._place.put_to_erase({})

    async def counts(self) -> dict[str, int]:
        """Count the rows of each table."""
        return {name: await shelf.count() for name, shelf in self.shelves.items()}


async def _compare(name: ShelfName, shelf: Shelf, truth: Truth) -> tuple[Difference, set[str]]:
    """Give what differs from the truth, and the ids of all rows that have to go."""
    difference = await shelf.compare(truth.refs[name], truth.rows[name])
    if name == "facts":  # they outlive the conversation in which they were said
        return difference, set(difference.remove)
    return difference, set(difference.remove) | set(await shelf.in_conversations(truth.gone))


async def embed(embedder: Embedder, rows: Sequence[Remembered]) -> list[list[float]]:
    """Give the rows' vectors. Raises MemoryUnavailable."""
    vectors: list[list[float]] = []
    for at in range(0, len(rows), EMBED_AT_ONCE):
        vectors += await embedder.embed([row.text for row in rows[at : at + EMBED_AT_ONCE]])
    return vectors


class Builder:
    """Builds an edition beside the one in place, row by row in the order of ids."""

    def __init__(
        self, place: Place, connection: AsyncConnection, building: Building, shelves: dict[str, Shelf]
    ) -> None:
        """Go on from where the building is."""
        self._place = place
        self._connection = connection
        self.building = building
        self._shelves = shelves

    @classmethod
    async def begin(cls, place: Place, model: str, dimension: int, *, resume: bool) -> "Builder":
        """Go on with the build that was cut off, when it is of this model and opens; else begin a new one."""
        place.folder.mkdir(parents=True, exist_ok=True)
        connection = await connect(place.folder)
        building = place.building()
        if resume and building is not None and building.edition.fits(model, dimension):
            try:
                return await cls._resume(place, connection, building)
            except Exception:  # noqa: BLE001  LanceDB raises whatever; the build begins anew
                _log.exception("a build that was cut off does not open")
        names = (await connection.list_tables()).tables
        numbers = [int(name.rpartition("_")[2]) for name in names if name.rpartition("_")[2].isdigit()]
        edition = Edition(model=model, dimension=dimension, generation=max(numbers, default=0) + 1)
        shelves: dict[str, Shelf] = {
            name: await Shelf.create(connection, edition.table(name), dimension) for name in SHELVES
        }
        building = Building(edition=edition)
        place.put_building(building)
        return cls(place, connection, building, shelves)

    @classmethod
    async def _resume(cls, place: Place, connection: AsyncConnection, building: Building) -> "Builder":
        shelves: dict[str, Shelf] = {
            name: await Shelf.open(connection, building.edition.table(name)) for name in SHELVES
        }
        await shelves[building.shelf].remove_after(building.after)
        for later in SHELVES[SHELVES.index(building.shelf) + 1 :]:
            await shelves[later].remove_after("")
        return cls(place, connection, building, shelves)

    @property
    def left(self) -> tuple[ShelfName, ...]:
        """The shelves that are not whole yet."""
        return SHELVES[SHELVES.index(self.building.shelf) :]

    async def add(self, rows: Sequence[Remembered], embedder: Embedder) -> None:
        """Add the next rows of the shelf at hand, and note it."""
        await self._shelves[self.building.shelf].add(rows, await embed(embedder, rows))
        self._note(after=rows[-1].id, done=self.building.done + len(rows))

    def turn_to(self, shelf: ShelfName) -> None:
        """Go on with another shelf, unless it is at hand."""
        if shelf != self.building.shelf:
            self._note(shelf=shelf, after="")

    def _note(self, **changed: object) -> None:
        self.building = self.building.model_copy(update=changed)
        self._place.put_building(self.building)

    async def tidy(self) -> None:
        """Join the files so far."""
        await self._shelves[self.building.shelf].tidy(timedelta(milliseconds=1))

    async def finish(self) -> Edition:
        """Put the new tables in place of the old ones, which go."""
        edition = self.building.edition
        for shelf in self._shelves.values():
            await shelf.tidy(timedelta(milliseconds=1))
        self._place.put_edition(edition)
        crash_point("memory.switched")
        self._place.put_building(None)
        self._place.put_to_erase({})
        await drop_others(self._connection, edition)
        return edition


async def drop_others(connection: AsyncConnection, edition: Edition) -> None:
    """Drop the tables of every other edition."""
    kept = {edition.table(name) for name in SHELVES}
    for name in (await connection.list_tables()).tables:
        if name not in kept:
            await connection.drop_table(name)
