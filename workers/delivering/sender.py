"""The sender: carries out what is due, retries what did not work, and stores what became of each delivery."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import structlog

from connectors.base import ConnectorError, TemporaryFailure
from connectors.channel import Unreachable
from core.clock import now
from core.errors import AssentError
from core.events import VolatileEvent
from core.rooms import Rooms
from core.store import deliveries, identities, prompting
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.work import Work, change
from core.tables.connect import Delivery
from workers.delivering.carrier import Carrier, NotWanted, NotYet

IDLE_SECONDS = 1.0
AT_ONCE = 50
"""How many threads are written to at the same time."""
CLAIM = 20
CLAIM_HOLDS = 15.0
"""Seconds after which a claimed delivery is not begun any more: one takes at most the rest of its 60."""
DRAIN_SECONDS = 4.0
ATTEMPTS = 14
"""With the waits below, about a day."""
_SHORTEST, _LONGEST = timedelta(seconds=2), timedelta(hours=4)
_log = structlog.get_logger()


class Sender:
    """Runs beside the relay; several may run at once."""

    def __init__(self, database: Database, rooms: Rooms, audit: AuditTrail, carriers: Mapping[str, Carrier]) -> None:
        """Take the carriers by the kind of delivery that they take; other kinds are left to other senders."""
        self._database = database
        self._rooms = rooms
        self._audit = audit
        self._carriers = carriers
        self._bell = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self._last: dict[tuple[str, str, str], asyncio.Task[None]] = {}

    def rang(self, stream_id: str) -> None:
        """Wake when something is to be sent."""
        if stream_id == deliveries.DOORBELL:
            self._bell.set()

    def said(self, stream_id: str, event: VolatileEvent) -> None:
        """Take no notice of what rooms hear."""

    async def run(self, stop: asyncio.Event) -> None:
        """Carry what is due, at each ring and every second, until stopped; then let what is on its way arrive."""
        silence = self._rooms.listen(self)
        try:
            while not stop.is_set():
                self._bell.clear()
                room = AT_ONCE - len(self._under_way)
                if room <= 0 or not await self._begin(min(room, CLAIM)):
                    with suppress(TimeoutError):
                        async with asyncio.timeout(IDLE_SECONDS):
                            await self._bell.wait()
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=DRAIN_SECONDS)
        finally:
            silence()
            for task in self._under_way:
                task.cancel()

    async def sweep(self) -> int:
        """Carry what is due now, to its end; returns how many there were."""
        count = await self._begin(CLAIM)
        if self._under_way:
            await asyncio.wait(self._under_way)
        return count

    async def _begin(self, limit: int) -> int:
        """Begin to carry what is due: one thread's in order, no thread waits for another. Gives how many."""
        try:
            rows = await self._claim(limit)
        except AssentError as error:
            _log.warning("the sender waits", code=error.code)
            return 0
        except Exception:  # noqa: BLE001 - upkeep outlives any single fault, and logs it
            _log.exception("the sender failed; it goes on")
            return 0
        lanes: dict[tuple[str, str, str], list[Delivery]] = {}
        for row in sorted(rows, key=lambda one: one.id):
            lanes.setdefault((row.channel, row.account, row.thread), []).append(row)
        for lane, waiting in lanes.items():
            task = asyncio.create_task(self._carry_all(self._last.get(lane), waiting))
            self._last[lane] = task
            self._under_way.add(task)
            task.add_done_callback(partial(self._done, lane))
        return len(rows)

    def _done(self, lane: tuple[str, str, str], task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self._last.get(lane) is task:
            del self._last[lane]
        self._bell.set()

    async def _carry_all(self, before: asyncio.Task[None] | None, rows: list[Delivery]) -> None:
        """Carry one thread's in order; what waited so long that its claim may lapse is left to the next claim."""
        claimed = time.monotonic()
        if before is not None:
            await asyncio.wait([before])
        for row in rows:
            if time.monotonic() - claimed < CLAIM_HOLDS:
                await self._carry(row)

    async def _claim(self, limit: int) -> list[Delivery]:
        async with self._database.reading() as session:
            if not await deliveries.is_due(session, self._carriers):
                return []
        async with self._database.writing() as session:
            return await deliveries.claim(session, self._carriers, limit)

    async def _carry(self, row: Delivery) -> None:
        try:
            reference = await self._hand_over(row)
        except NotWanted as reason:
            await self._end(row, str(reason), deliveries.DROPPED)
        except NotYet as reason:
            async with change(self._database, self._rooms) as work:
                await deliveries.postpone(work, row, reason.until, str(reason), attempts=row.attempts - 1)
        except TemporaryFailure as error:
            await self._later(row, error)
        except ConnectorError as error:
            await self._end(row, error.detail, deliveries.FAILED, broken=isinstance(error, Unreachable))
        except Exception:  # noqa: BLE001 - one delivery holds up no other; the claim lapses, another attempt follows
            _log.exception("a delivery failed", delivery_id=row.id, kind=row.kind)
            await self._later(row, TemporaryFailure("Something went wrong on our side."))
        else:
            async with change(self._database, self._rooms) as work:
                shown = await deliveries.sent(work, row, reference)
                if shown is not None and shown.kind == deliveries.PROMPT:
                    await prompting.record_sent(work, self._audit, shown)

    async def _hand_over(self, row: Delivery) -> str | None:
        carrier = self._carriers.get(row.kind)
        if carrier is None:
            reason = "nobody here carries this"
            raise NotWanted(reason)
        return await (carrier.send(row) if row.state == deliveries.WAITING else carrier.edit(row))

    async def _later(self, row: Delivery, error: TemporaryFailure) -> None:
        if row.attempts >= ATTEMPTS:
            await self._end(row, error.detail, deliveries.FAILED)
            return
        async with change(self._database, self._rooms) as work:
            await deliveries.postpone(work, row, _next_try(row.attempts, error.retry_after), error.detail)

    async def _end(self, row: Delivery, detail: str, state: str, *, broken: bool = False) -> None:
        async with change(self._database, self._rooms) as work:
            lost = await deliveries.give_up(work, row, detail, state)
            identity = await deliveries.identity_of(work.session, row) if broken else None
            if identity is not None:
                await identities.mark_broken(work, identity)
            if lost is not None and lost.kind == deliveries.PROMPT:
                await self._record_lost(work, lost)

    async def _record_lost(self, work: Work, row: Delivery) -> None:
        """Note in the audit trail who was not sent which request, and why."""
        facts = {"user_id": row.user_id, "channel": row.channel, "account": row.account, "reason": row.detail}
        await self._audit.record(
            work, row.workspace_id, "server", f"prompt.{row.state}", row.approval_id or row.ref, **facts
        )


def _next_try(attempts: int, retry_after: float | None) -> datetime:
    backoff = min(_SHORTEST * 2 ** max(attempts - 1, 0), _LONGEST)
    return now() + max(backoff if retry_after is None else timedelta(0), timedelta(seconds=retry_after or 0))
