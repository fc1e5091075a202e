"""The relay: tells Temporal what a commit asked for and nobody told yet, and re-sends decisions that a crash left."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import structlog

from core.errors import AssentError, Unavailable
from core.events import VolatileEvent
from core.rooms import Rooms
from core.store import decisions, outbox
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.work import change
from core.tables.consent import Decision
from core.tables.work import Outbox
from workflows.handles import ACCEPTED, CLOSED, Workflows

IDLE_SECONDS = 1.0
DECISION_GRACE = timedelta(seconds=10)
_log = structlog.get_logger()


class Relay:
    """Runs beside the workers; several may run at once."""

    def __init__(self, database: Database, rooms: Rooms, workflows: Workflows, audit: AuditTrail) -> None:
        """Take what it reads and whom it tells."""
        self._database = database
        self._rooms = rooms
        self._workflows = workflows
        self._audit = audit
        self._bell = asyncio.Event()

    def rang(self, stream_id: str) -> None:
        """Wake when the outbox has something new."""
        if stream_id == outbox.DOORBELL:
            self._bell.set()

    def said(self, stream_id: str, event: VolatileEvent) -> None:
        """Take no notice of what rooms hear."""

    async def run(self, stop: asyncio.Event) -> None:
        """Tell what is due, at each ring and every second, until stopped."""
        silence = self._rooms.listen(self)
        try:
            while not stop.is_set():
                self._bell.clear()
                await self._round()
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_SECONDS):
                        await self._bell.wait()
        finally:
            silence()

    async def _round(self) -> None:
        try:
            await asyncio.gather(*(self._tell(row) for row in await self._claim()))
            for decision in await self._left_behind():
                await self._judge(decision)
        except AssentError as error:
            _log.warning("the relay waits", code=error.code)
        except Exception:  # noqa: BLE001 - upkeep outlives any single fault, and logs it
            _log.exception("the relay failed; it goes on")

    async def _claim(self) -> list[Outbox]:
        async with self._database.reading() as session:
            if not await outbox.is_due(session):
                return []
        async with self._database.writing() as session:
            rows = await outbox.due(session)
            for row in rows:
                await outbox.postpone(session, row.id, row.attempts + 1)
            return rows

    async def _tell(self, row: Outbox) -> None:
        try:
            await self._deliver(row)
        except Unavailable:
            _log.warning("not told yet", kind=row.kind, ref=row.ref, attempts=row.attempts + 1)
            return
        async with self._database.writing() as session:
            await outbox.remove(session, row.kind, row.ref)

    async def _deliver(self, row: Outbox) -> None:
        body = row.body
        if row.kind == outbox.START_TURN:
            await self._workflows.start_turn(body["turn_id"], body["conversation_id"], body["lease_epoch"])
        elif row.kind == outbox.WAKE_TURN:
            await self._workflows.grant_lease(body["turn_id"], body["epoch"])
        elif row.kind == outbox.STOP_TURN:
            await self._workflows.stop_turn(body["turn_id"], body["approval_ids"], body["user_id"])
        else:
            _log.error("an unknown kind in the outbox", kind=row.kind)

    async def _left_behind(self) -> list[Decision]:
        async with self._database.reading() as session:
            return await decisions.left_behind(session, DECISION_GRACE)

    async def _judge(self, decision: Decision) -> None:
        verdict = await self._workflows.decide(decision.approval_id, decisions.as_message(decision), decision.update_id)
        async with change(self._database, self._rooms) as work:
            refusal = None if verdict == ACCEPTED else verdict
            if verdict == CLOSED:
                refusal = await decisions.refusal_when_closed(work.session, decision)
            await decisions.settle(work, self._audit, decision.id, refusal)
