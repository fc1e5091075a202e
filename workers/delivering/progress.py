"""Shows on channels that an answer is under way: typing, and one message about what is being done."""

import asyncio
import time
from contextlib import suppress

import structlog

from connectors.base import ConnectorError
from core.errors import AssentError
from core.events import VolatileEvent
from core.rooms import Rooms
from core.store import speaking
from core.store.database import Database
from core.store.work import change
from core.tables.work import Turn
from workers.delivering.channels import Channels

PERIOD_SECONDS = 1.5
TYPING_SECONDS = 4.0
IDLE_SECONDS = 5.0
_log = structlog.get_logger()


class Progress:
    """Looks at running turns that were asked on channels; without channels it does nothing."""

    def __init__(self, database: Database, rooms: Rooms, channels: Channels) -> None:
        """Take what it reads and where it shows."""
        self._database = database
        self._rooms = rooms
        self._channels = channels
        self._bell = asyncio.Event()
        self._typed: dict[tuple[str, str, str], float] = {}

    def rang(self, stream_id: str) -> None:
        """Wake when a conversation has news."""
        if stream_id.startswith("cnv_"):
            self._bell.set()

    def said(self, stream_id: str, event: VolatileEvent) -> None:
        """Take no notice of what rooms hear."""

    async def run(self, stop: asyncio.Event) -> None:
        """Show progress until stopped."""
        silence = self._rooms.listen(self)
        waiting = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set() and self._channels:
                self._bell.clear()
                busy = await self._look()
                await asyncio.wait([waiting], timeout=PERIOD_SECONDS)
                if not busy and not stop.is_set():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(IDLE_SECONDS):
                            await self._bell.wait()
        finally:
            waiting.cancel()
            silence()

    async def _look(self) -> bool:
        """Show each running turn once; whether there was any."""
        try:
            async with self._database.reading() as session:
                running = await speaking.under_way(session)
                places = [(turn, await speaking.asked_thread(session, turn)) for turn in running]
            for turn, at in places:
                if at is not None and at[:2] in self._channels and self._channels[at[:2]].capabilities.edit:
                    await self._show(turn, at)
        except AssentError as error:
            _log.warning("progress waits", code=error.code)
            return False
        except Exception:  # noqa: BLE001 - upkeep outlives any single fault, and logs it
            _log.exception("progress failed; it goes on")
            return False
        return bool(places)

    async def _show(self, turn: Turn, at: tuple[str, str, str]) -> None:
        async with change(self._database, self._rooms) as work:
            await speaking.show_progress(work, turn, at)
        channel = self._channels[at[:2]]
        if channel.capabilities.typing and time.monotonic() - self._typed.get(at, 0.0) > TYPING_SECONDS:
            self._typed[at] = time.monotonic()
            with suppress(ConnectorError):
                await channel.typing(at[2])
