"""The relay: tells Temporal what a commit asked for and nobody told yet, and re-sends decisions that a crash left."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import structlog

from core.errors import Unavailable
from core.events import VolatileEvent
from core.rooms import Rooms
from core.store import consents, decisions, outbox
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.work import change
from core.tables.consent import Decision
from core.tables.work import Outbox
from workers.records.keeping import pause, survive
from workflows.handles import Workflows

IDLE_SECONDS = 1.0
DECISION_GRACE = timedelta(seconds=10)
JUDGED_AT_ONCE = 8
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
        """Tell what is due, at each ring and every second, until stopped; beside it, judge what was left behind."""
        silence = self._rooms.listen(self)
        try:
            await asyncio.gather(self._keep_telling(stop), self._keep_judging(stop))
        finally:
            silence()

    async def _keep_telling(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._bell.clear()
            await survive("relay", self._tell_all())
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._bell.wait()

    async def _keep_judging(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await survive("relay", self._judge_all())
            await pause(stop, IDLE_SECONDS)

    async def _tell_all(self) -> None:
        await asyncio.gather(*(self._tell(row) for row in await self._claim()))

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
            facts = (body["turn_id"], body["conversation_id"], body["lease_epoch"])
            await self._workflows.start_turn(*facts, body.get("max_rounds"))
        elif row.kind == outbox.WAKE_TURN:
            await self._workflows.grant_lease(body["turn_id"], body["epoch"])
        elif row.kind == outbox.STOP_TURN:
            await self._stop(body["turn_id"], body["approval_ids"], body["user_id"])
        elif row.kind == outbox.REFLECT:
            await self._workflows.reflect(row.ref, body["turn_id"], learn=body["learn"], sum_up=body["sum_up"])
        elif row.kind == outbox.WIPE:
            await self._wipe()
        elif row.kind == outbox.ASK:
            await self._workflows.start_ask(body["approval_id"])
        elif row.kind == outbox.READ_DOCUMENT:
            await self._workflows.read_document(body["document_id"])
        else:
            _log.error("an unknown kind in the outbox", kind=row.kind)

    async def _wipe(self) -> None:
        if not await self._database.wipe_log():
            message = "Somebody reads the log just now."
            raise Unavailable(message)

    async def _stop(self, turn_id: str, approval_ids: list[str], user_id: str) -> None:
        for lost in await self._workflows.stop_turn(turn_id, approval_ids, user_id):
            _log.warning("an approval was lost", approval_id=lost)
            async with change(self._database, self._rooms) as work:
                await consents.withdraw_lost(work, self._audit, lost)

    async def _judge_all(self) -> None:
        """Judge what a crash left, each by itself: one that Temporal does not answer for holds up no other."""
        async with self._database.reading() as session:
            left = await decisions.left_behind(session, DECISION_GRACE)
        places = asyncio.Semaphore(JUDGED_AT_ONCE)

        async def judge(decision: Decision) -> None:
            async with places:
                await survive("relay", self._judge(decision))

        await asyncio.gather(*(judge(one) for one in left))

    async def _judge(self, decision: Decision) -> None:
        verdict = await self._workflows.decide(decision.approval_id, decisions.as_message(decision), decision.update_id)
        async with change(self._database, self._rooms) as work:
            await decisions.conclude(work, self._audit, decision, verdict)
