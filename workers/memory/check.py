"""Compares memory's index with SQL: how many rows, and some of them one by one, in both directions."""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Iterable

from temporalio import activity

from core.messages import MemoryVerdict, ShelfCheck
from core.store import changes, memory_status, remembered
from core.store.database import Database
from core.store.remembered import Shelf as ShelfName
from workers.heartbeat import beating
from workers.memory.keeper import Keeper
from workers.memory.place import Place
from workers.memory.shelf import Shelf

SAMPLE = 500
PATIENCE = 10.0
"""Seconds in which what has just changed may be learned."""
MOST = 50
_PAUSE = 0.1


class Checker:
    """One activity."""

    def __init__(self, database: Database, place: Place) -> None:
        """Take the two that are compared."""
        self._database = database
        self._place = place

    @activity.defn
    async def verify_memory(self) -> MemoryVerdict:
        """Compare, once nothing waits to be learned."""
        async with beating():
            waiting = await self._until_learned()
            async with self._place.writing():
                waiting = waiting and await self._any_waiting()  # a step of the writer may have ended just now
                edition = self._place.edition()
                if edition is None:
                    return MemoryVerdict(clean=False, differences=("The index is not there: rebuild it.",))
                try:
                    keeper = await Keeper.open(self._place, edition)
                    return await self._compare(keeper, waiting)
                except ConnectionError:  # that is SQL's
                    raise
                except (RuntimeError, OSError, ValueError) as problem:
                    await self._ask_for_a_build()
                    broken = f"The index cannot be read; it is built anew by itself: {str(problem)[:200]}"
                    return MemoryVerdict(clean=False, differences=(broken,))

    async def _ask_for_a_build(self) -> None:
        async with self._database.writing() as session:
            await memory_status.write(session, stale=True)

    async def _until_learned(self) -> bool:
        """Wait for what waits to be learned; whether something still does."""
        until = asyncio.get_running_loop().time() + PATIENCE
        while True:
            if not await self._any_waiting():
                return False
            if asyncio.get_running_loop().time() > until:
                return True
            await asyncio.sleep(_PAUSE)

    async def _any_waiting(self) -> bool:
        async with self._database.reading() as session:
            return await changes.any_waiting(session)

    async def _compare(self, keeper: Keeper, waiting: bool) -> MemoryVerdict:
        differences = ["There are changes that the index has yet to learn."] if waiting else []
        shelves = []
        for name, shelf in keeper.shelves.items():
            found, said = await self._compare_shelf(name, shelf)
            shelves.append(found)
            differences += said
        return MemoryVerdict(clean=not differences, shelves=tuple(shelves), differences=tuple(differences[:MOST]))

    async def _compare_shelf(self, name: ShelfName, shelf: Shelf) -> tuple[ShelfCheck, list[str]]:
        async with self._database.reading() as session:
            in_sql = await remembered.count(session, name)
            wanted = await remembered.sample(session, name, SAMPLE)
            in_index = await shelf.count()
            there = await shelf.some(SAMPLE, random.randrange(max(1, in_index - SAMPLE + 1)))  # noqa: S311  no secret
            known = await remembered.by_id(session, name, [row["id"] for row in there])
        said = [f"{name}: {in_sql} in SQL, {in_index} in the index"] if in_sql != in_index else []
        found = await shelf.by_id(row.id for row in wanted)
        counts, texts = Counter(row["id"] for row in found), {row["id"]: _hash(row["text"]) for row in found}
        for row in wanted:
            if not counts[row.id]:
                said.append(f"{row.id} is not in the index")
            elif counts[row.id] > 1:
                said.append(f"{row.id} is {counts[row.id]} times in the index")
            elif texts[row.id] != _hash(row.text):
                said.append(f"{row.id} says something else in the index")
        said += [f"{row['id']} should not be in the index" for row in there if row["id"] not in known]
        compared = len({row.id for row in wanted} | {row["id"] for row in there})
        return ShelfCheck(shelf=name, in_sql=in_sql, in_index=in_index, compared=compared), _once(said)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _once(said: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(said))
