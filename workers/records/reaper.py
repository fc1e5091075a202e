"""The reaper: ends turns whose workflow is gone, so that their conversation goes on. It asks Temporal, not a clock."""

import asyncio
from datetime import timedelta

import structlog

from core.messages import TurnEnding
from core.rooms import Rooms
from core.store import turns, upkeep, usage
from core.store.database import Database
from core.store.work import change
from workers.records.keeping import keep_sweeping
from workflows.handles import Workflows, turn_workflow_id

PERIOD_SECONDS = 10.0
GRACE = timedelta(seconds=20)
_log = structlog.get_logger()


class Reaper:
    """Looks at turns that take long, one by one."""

    def __init__(self, database: Database, rooms: Rooms, workflows: Workflows, grace: timedelta = GRACE) -> None:
        """Take what it reads and whom it asks."""
        self._database = database
        self._rooms = rooms
        self._workflows = workflows
        self._grace = grace

    async def sweep(self) -> int:
        """End the turns whose workflow Temporal calls closed or does not know; returns how many. Raises Unavailable."""
        async with self._database.reading() as session:
            suspects = await upkeep.unended(session, self._grace)
            reserved = await usage.any_reserved(session)
        ended = 0
        for turn in suspects:
            if await self._workflows.is_closed(turn_workflow_id(turn.id)):
                await self._end(turn.id)
                ended += 1
        if reserved:
            await self._give_back()
        return ended

    async def _give_back(self) -> None:
        """Give back what lost model calls had reserved."""
        async with self._database.writing() as session:
            count = await usage.lapse_lost(session)
        if count:
            _log.warning("reservations of lost model calls were given back", count=count)

    async def _end(self, turn_id: str) -> None:
        _log.warning("a turn was lost", turn_id=turn_id)
        ending = TurnEnding(
            turn_id=turn_id,
            error_code="lost",
            error_detail="The work on this was lost. Your message is kept; you can try again.",
        )
        async with change(self._database, self._rooms) as work:
            await turns.fail(work, ending)

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep now and again, until stopped."""
        await keep_sweeping("reaper", self.sweep, stop, PERIOD_SECONDS)
