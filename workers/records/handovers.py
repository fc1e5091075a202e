"""Handovers: requests follow a delegation that begins or ends by time alone."""

import asyncio
from datetime import datetime, timedelta

from core.clock import now
from core.rooms import Rooms
from core.store import delegations, reconsidering
from core.store.database import Database
from core.store.work import change
from core.tables.consent import Delegation
from workers.records.keeping import keep_sweeping

PERIOD_SECONDS = 10.0
_LAP = timedelta(seconds=30)


class Handovers:
    """Looks at the clock for everybody: what changed nothing is told to nobody, however often it is looked at."""

    def __init__(self, database: Database, rooms: Rooms) -> None:
        """Take where requests are, and who is told. The first look goes back as far as a delegation lasts."""
        self._database = database
        self._rooms = rooms
        self._since = now() - timedelta(days=delegations.MAX_DAYS)

    async def sweep(self) -> int:
        """Bring up to date what each delegation is about that began or ended since; returns how many did."""
        until, count, cursor = now(), 0, None
        while rows := await self._turned(until, cursor):
            for row in rows:
                async with change(self._database, self._rooms) as work:
                    await reconsidering.again(work, row.workspace_id, [row.from_user_id], row)
            count, cursor = count + len(rows), rows[-1].id
        self._since = until - _LAP  # what was being asked while we looked may have been asked of whom it was before
        return count

    async def _turned(self, until: datetime, cursor: str | None) -> list[Delegation]:
        async with self._database.reading() as session:
            return await delegations.turned(session, self._since, until, cursor=cursor)

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep now and again, until stopped."""
        await keep_sweeping("handovers", self.sweep, stop, PERIOD_SECONDS)
