"""The sender: carries out what is due, retries what did not work, and stores what became of each delivery."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from connectors.base import ConnectorError, TemporaryFailure
from connectors.channel import Unreachable
from core.clock import now
from core.errors import AssentError
from core.events import VolatileEvent
from core.rooms import Rooms
from core.store import deliveries, identities
from core.store.database import Database
from core.store.work import change
from core.tables.connect import Delivery
from workers.delivering.carrier import Carrier, NotWanted, NotYet

IDLE_SECONDS = 1.0
ATTEMPTS = 14
"""With the waits below, about a day."""
_SHORTEST, _LONGEST = timedelta(seconds=2), timedelta(hours=4)
_log = structlog.get_logger()


class Sender:
    """Runs beside the relay; several may run at once."""

    def __init__(self, database: Database, rooms: Rooms, carriers: Mapping[str, Carrier]) -> None:
        """Take the carriers by the kind of delivery that they take; other kinds are left to other senders."""
        self._database = database
        self._rooms = rooms
        self._carriers = carriers
        self._bell = asyncio.Event()

    def rang(self, stream_id: str) -> None:
        """Wake when something is to be sent."""
        if stream_id == deliveries.DOORBELL:
            self._bell.set()

    def said(self, stream_id: str, event: VolatileEvent) -> None:
        """Take no notice of what rooms hear."""

    async def run(self, stop: asyncio.Event) -> None:
        """Carry what is due, at each ring and every second, until stopped."""
        silence = self._rooms.listen(self)
        try:
            while not stop.is_set():
                self._bell.clear()
                if not await self.sweep():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(IDLE_SECONDS):
                            await self._bell.wait()
        finally:
            silence()

    async def sweep(self) -> int:
        """Carry what is due now; returns how many there were."""
        try:
            rows = await self._claim()
            await self._in_lanes(rows)
        except AssentError as error:
            _log.warning("the sender waits", code=error.code)
            return 0
        except Exception:  # noqa: BLE001 - upkeep outlives any single fault, and logs it
            _log.exception("the sender failed; it goes on")
            return 0
        return len(rows)

    async def _claim(self) -> list[Delivery]:
        async with self._database.reading() as session:
            if not await deliveries.is_due(session, self._carriers):
                return []
        async with self._database.writing() as session:
            return await deliveries.claim(session, self._carriers)

    async def _in_lanes(self, rows: list[Delivery]) -> None:
        """Carry what goes to one thread in order, different threads side by side."""
        lanes: dict[tuple[str, str, str], list[Delivery]] = {}
        for row in rows:
            lanes.setdefault((row.channel, row.account, row.thread), []).append(row)

        async def carry_all(lane: list[Delivery]) -> None:
            for row in sorted(lane, key=lambda one: one.id):
                await self._carry(row)

        await asyncio.gather(*(carry_all(lane) for lane in lanes.values()))

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
                await deliveries.sent(work, row, reference)

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
            await deliveries.give_up(work, row, detail, state)
            identity = await deliveries.identity_of(work.session, row) if broken else None
            if identity is not None:
                await identities.mark_broken(work, identity)


def _next_try(attempts: int, retry_after: float | None) -> datetime:
    backoff = min(_SHORTEST * 2 ** max(attempts - 1, 0), _LONGEST)
    return now() + max(backoff if retry_after is None else timedelta(0), timedelta(seconds=retry_after or 0))
