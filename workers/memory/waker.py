"""Wakes memory's writer when SQL has something to learn, and when the index asks for a build."""

import asyncio
from contextlib import suppress

import structlog

from core.errors import Unavailable
from core.events import VolatileEvent
from core.rooms import Rooms
from core.store import changes
from core.store.database import Database
from workers.memory.port import Embedder
from workers.memory.writer import Condition, Writer
from workflows.memory_handles import MemoryWorkflows

IDLE_SECONDS = 2.0
LOOK_SECONDS = 30.0
"""Between two looks at the index itself."""
GATHER_SECONDS = 0.3
"""What is said in the same moment is learned together."""
LONGEST_PAUSE = 60.0
_log = structlog.get_logger()


class Waker:
    """Runs beside the workers; several may run at once: the writer is one all the same."""

    def __init__(
        self, database: Database, rooms: Rooms, embedder: Embedder, writer: Writer, workflows: MemoryWorkflows
    ) -> None:
        """Take what it watches and whom it wakes."""
        self._database = database
        self._rooms = rooms
        self._embedder = embedder
        self._writer = writer
        self._workflows = workflows
        self._bell = asyncio.Event()
        self._has_schedule = False
        self._looked = float("-inf")

    def rang(self, stream_id: str) -> None:
        """Wake when something changed."""
        if stream_id == changes.DOORBELL:
            self._bell.set()

    def said(self, stream_id: str, event: VolatileEvent) -> None:
        """Take no notice of what rooms hear."""

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until stopped; a pause doubles as long as waking changes nothing."""
        silence = self._rooms.listen(self)
        pause, before = IDLE_SECONDS, None
        try:
            while not stop.is_set():
                self._bell.clear()
                first = await self._survive()
                stuck = first is not None and first == before
                pause, before = (min(LONGEST_PAUSE, pause * 2) if stuck else IDLE_SECONDS), first
                await self._rest(stop, pause)
        finally:
            silence()

    async def _rest(self, stop: asyncio.Event, seconds: float) -> None:
        ringing, stopping = asyncio.create_task(self._bell.wait()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({ringing, stopping}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ringing.cancel()
            stopping.cancel()
        if not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER_SECONDS):
                    await stop.wait()

    async def _survive(self) -> str | None:
        try:
            return await self._look()
        except Unavailable as error:
            _log.info("memory's writer is woken later", reason=error.detail)
        except Exception:  # noqa: BLE001 - upkeep outlives any single fault, and logs it
            _log.exception("memory's waker failed; it goes on")
        return None

    async def _look(self) -> str | None:
        """Wake the writer for what there is to do; gives the first change that waits.

        Without an embedder it forgets all the same.
        """
        if not self._has_schedule:
            await self._workflows.keep_schedule()
            self._has_schedule = True
        now = asyncio.get_running_loop().time()
        if self._embedder.is_ready and now - self._looked > LOOK_SECONDS:
            condition = await self._writer.look()
            self._looked = now
            if condition is not Condition.GOOD:
                _log.info("memory's index is to be built", because=condition)
                await self._workflows.wake("index")  # which finds so, too; asked for as a build it would be built again
                return None
        async with self._database.reading() as session:
            waiting = await changes.waiting(session, 1)
        if waiting:
            await self._workflows.wake("index")
        return waiting[0].id if waiting else None
