"""The steps of memory's one writer: learn what changed in SQL, tend the files, build the index anew."""

import asyncio
from datetime import datetime
from enum import StrEnum

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from core.clock import now
from core.faults import crash_point
from core.messages import MemoryDone
from core.store import changes, memory_status, remembered
from core.store.database import Database
from core.store.remembered import SHELVES
from workers.heartbeat import beating
from workers.memory.keeper import Builder, Keeper
from workers.memory.place import Place
from workers.memory.port import Embedder, MemoryUnavailable
from workflows.memory_handles import MemoryWorkflows

CHANGES_AT_ONCE = 200
MOST_FORGOTTEN = 2_000
LEARN_SECONDS = 30.0
"""A step ends after so long, and says that there is more: others want to be heard, too."""
BUILD_ROWS = 512
TIDY_EVERY = 40
"""Batches of a build between two joins of its files."""
TRIES = 3
BREAKS = (RuntimeError, OSError, ValueError)
"""What LanceDB raises."""
_log = structlog.get_logger()


class Condition(StrEnum):
    """How the index is."""

    GOOD = "good"
    MISSING = "missing"
    OTHER_MODEL = "of another model"
    BROKEN = "broken"
    CUT_OFF = "half built"
    STALE = "stale"


_READABLE = frozenset({Condition.GOOD, Condition.OTHER_MODEL})


class Writer:
    """Activities, and the look at the index that tells whether a build is due."""

    def __init__(self, database: Database, place: Place, embedder: Embedder, workflows: MemoryWorkflows) -> None:
        """Take what it reads, writes and asks."""
        self._database = database
        self._place = place
        self._embedder = embedder
        self._workflows = workflows
        self._opened: tuple[tuple[int, int] | None, Keeper] | None = None

    @activity.defn
    async def learn_memory(self) -> MemoryDone:
        """Bring the index up to what changed, batch by batch; a change is dropped once the index knows it."""
        async with beating(), self._place.writing():
            try:
                condition = await self.condition()
                if not self._embedder.is_ready:
                    return await self._forget() if condition in _READABLE else MemoryDone(ready=False)
                return await self._learn() if condition is Condition.GOOD else MemoryDone(broken=True)
            except MemoryUnavailable as reason:
                _log.info("memory learns later", reason=reason.detail)
                return MemoryDone(ready=False)
            except BREAKS as problem:
                return self._given_up(problem)

    def _given_up(self, problem: Exception) -> MemoryDone:
        """Ask for a build when the index fails again and again: an index file may be broken, and the rows not."""
        if isinstance(problem, ConnectionError):  # that is SQL's
            raise problem
        self._opened = None
        _log.warning("the index fails", error=str(problem)[:300])
        if activity.info().attempt < TRIES:
            raise ApplicationError("the index fails", category=ApplicationErrorCategory.BENIGN) from None
        return MemoryDone(broken=self._embedder.is_ready)

    async def _learn(self) -> MemoryDone:
        keeper = await self._keeper()
        erased, batches = False, 0
        loop = asyncio.get_running_loop()
        until = loop.time() + LEARN_SECONDS
        while loop.time() < until:
            async with self._database.reading() as session:
                waiting = await changes.waiting(session, CHANGES_AT_ONCE)
                truth = await remembered.truth_about(session, waiting)
            if not waiting:
                await self._tell_counts(keeper)
                return MemoryDone(erased=erased, batches=batches)
            learned = await keeper.learn(truth, self._embedder)
            crash_point("memory.learned")
            async with self._database.writing() as session:
                await changes.drop(session, [one.id for one in waiting])
            erased, batches = erased or bool(learned.removed), batches + 1
        return MemoryDone(left=True, erased=erased, batches=batches)

    async def _forget(self) -> MemoryDone:
        """Remove what is no longer true, without an embedder; the changes stay for when there is one."""
        keeper = await self._keeper()
        async with self._database.reading() as session:
            waiting = await changes.waiting(session, MOST_FORGOTTEN)
            truth = await remembered.truth_about(session, waiting)
        return MemoryDone(ready=False, erased=await keeper.forget(truth) > 0)

    @activity.defn
    async def tend_memory(self) -> MemoryDone:
        """Join files, bring indexes up to date, erase what was removed."""
        async with beating(), self._place.writing():
            if await self.condition() not in _READABLE:
                return MemoryDone(broken=self._embedder.is_ready)
            try:
                keeper = await self._keeper()
                await keeper.tend()
            except BREAKS as problem:
                return self._given_up(problem)
            await self._tell_counts(keeper)
            return MemoryDone()

    @activity.defn
    async def rebuild_memory(self) -> MemoryDone:
        """Build the index from SQL in new tables; the old ones answer meanwhile."""
        async with beating(), self._place.writing():
            try:
                return await self._rebuild()
            except MemoryUnavailable as reason:
                _log.info("memory is built later", reason=reason.detail)
                return MemoryDone(ready=False)
            except BREAKS:  # what is half built may be the reason
                self._place.put_building(None)
                raise

    async def _rebuild(self) -> MemoryDone:
        dimension = len((await self._embedder.embed(["one"]))[0])
        if await self._is_broken():
            aside = self._place.quarantine()
            _log.warning("the index is broken; it is built anew", aside=str(aside))
        async with self._database.writing() as session:
            stale = await memory_status.is_stale(session)
            await memory_status.write(session, stale=False)
        builder = await Builder.begin(self._place, self._embedder.model, dimension, resume=not stale)
        async with self._database.reading() as session:
            total = sum([await remembered.count(session, shelf) for shelf in SHELVES])
        batches = 0
        for shelf in builder.left:
            builder.turn_to(shelf)
            while True:
                await self._tell_progress(builder.building.done, total)
                async with self._database.reading() as session:
                    rows = await remembered.page(session, shelf, builder.building.after, BUILD_ROWS)
                if not rows:
                    break
                await builder.add(rows, self._embedder)
                crash_point("memory.built")
                batches += 1
                if batches % TIDY_EVERY == 0:
                    await builder.tidy()
        await builder.finish()
        await self._tell_counts(await self._keeper(), built_at=now())
        return MemoryDone(batches=batches)

    @activity.defn
    async def wake_memory(self) -> None:
        """Have the writer tend its files."""
        await self._workflows.wake("tend")

    # Looking

    async def condition(self) -> Condition:
        """Tell whether the index can be used and added to as it is."""
        edition = self._place.edition()
        if self._place.building() is not None:
            return Condition.CUT_OFF
        if edition is None:
            return Condition.MISSING
        async with self._database.reading() as session:
            if await memory_status.is_stale(session):
                return Condition.STALE
        if await self._is_broken():
            return Condition.BROKEN
        other = self._embedder.is_ready and not edition.fits(self._embedder.model, edition.dimension)
        return Condition.OTHER_MODEL if other else Condition.GOOD

    async def look(self) -> Condition:
        """Tell the condition from the files as they are now: what is open may remember what the disk has lost.

        An index file that cannot be read makes the index stale, whoever finds it; a build is due then.
        """
        self._opened = None
        condition = await self.condition()
        if condition is Condition.GOOD and not await self._answers():
            async with self._database.writing() as session:
                await memory_status.write(session, stale=True)
            return Condition.STALE
        return condition

    async def _answers(self) -> bool:
        try:
            for shelf in (await self._keeper()).shelves.values():
                await shelf.try_out()
        except Exception as problem:  # noqa: BLE001  LanceDB raises whatever
            _log.warning("the index does not answer", error=str(problem)[:300])
            self._opened = None
            return False
        return True

    async def _is_broken(self) -> bool:
        edition = self._place.edition()
        if edition is None:
            return self._place.folder.exists() and self._place.building() is None
        try:
            for shelf in (await self._keeper()).shelves.values():
                await shelf.some(1, 0)
        except Exception as problem:  # noqa: BLE001  LanceDB raises whatever
            _log.warning("the index does not open", error=str(problem)[:300])
            self._opened = None
            return True
        return False

    async def _keeper(self) -> Keeper:
        """Give the open tables of the edition in place."""
        signature = self._place.signature()
        if self._opened is None or self._opened[0] != signature:
            edition = self._place.edition()
            if edition is None:
                message = "The index is not there."
                raise MemoryUnavailable(message)
            self._opened = signature, await Keeper.open(self._place, edition)
        return self._opened[1]

    # Telling

    async def _tell_progress(self, done: int, total: int) -> None:
        sentence = f"Memory is being built from what was said: {done} of {total}."
        async with self._database.scribbling() as session:
            await memory_status.write(session, state="rebuilding", sentence=sentence, done=done, total=total)

    async def _tell_counts(self, keeper: Keeper, **more: datetime) -> None:
        rows = await keeper.counts()
        edition = keeper.edition
        async with self._database.scribbling() as session:
            await memory_status.write(
                session,
                state="ready",
                sentence="Memory is ready.",
                rows=rows,
                model=edition.model,
                dimension=edition.dimension,
                **more,
            )
