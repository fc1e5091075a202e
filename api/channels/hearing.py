"""Hears channels: one process at a time for each account asks it, where it has to be asked, and answers in order."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta

import structlog

from api.channels.answering import Answering
from connectors.base import ConnectorError, TemporaryFailure
from connectors.channel import Channel
from core.clock import now
from core.errors import AssentError, TooMany, Unavailable
from core.events import VolatileEvent
from core.ids import new_id
from core.rooms import Rooms
from core.store import inbound
from core.store.database import Database
from core.tables.connect import Inbound

LEASE = timedelta(seconds=10)
RENEW_SECONDS = 3.0
IDLE_SECONDS = 1.0
PROBE_SECONDS = 60.0
LEAST_SECONDS = 0.5
ATTEMPTS = 10
_LONGEST = 300.0
_log = structlog.get_logger()


class LeaseLostHere(Exception):
    """Another process hears this account now."""


class Hearing:
    """Runs while the api does."""

    def __init__(
        self,
        database: Database,
        rooms: Rooms,
        channels: Mapping[tuple[str, str], Channel],
        answering: Answering,
        public_url: str | None,
    ) -> None:
        """Take the channels, who answers them, and the address at which they call us."""
        self._database = database
        self._rooms = rooms
        self._channels = channels
        self._answering = answering
        self._public_url = public_url
        self._holder = new_id("hld")
        self._bells = {key: asyncio.Event() for key in channels}
        self._tasks: list[asyncio.Task[None]] = []
        self._silence: Callable[[], None] | None = None

    def rang(self, stream_id: str) -> None:
        """Wake when something was told."""
        if stream_id == inbound.DOORBELL:
            for bell in self._bells.values():
                bell.set()

    def said(self, stream_id: str, event: VolatileEvent) -> None:
        """Take no notice of what rooms hear."""

    async def start(self) -> None:
        """Begin to hear every channel that is set up."""
        self._silence = self._rooms.listen(self)
        self._tasks = [asyncio.create_task(self._hear(*key)) for key in self._channels]

    async def aclose(self) -> None:
        """Stop, and let others hear at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._silence is not None:
            self._silence()
        if self._channels:
            async with self._database.writing() as session:
                for name, account in self._channels:
                    await inbound.let_go(session, name, account, self._holder)

    async def _hear(self, name: str, account: str) -> None:
        """Hear one account whenever the right to do so is ours."""
        while True:
            try:
                if await self._hold(name, account) is not None:
                    await self._hear_while_held(name, account)
            except* LeaseLostHere:
                _log.info("another process hears this channel now", channel=name)
            except* Exception:  # noqa: BLE001 - hearing outlives any single fault, and logs it
                _log.exception("hearing a channel failed; it goes on", channel=name)
            await asyncio.sleep(IDLE_SECONDS)

    async def _hold(self, name: str, account: str) -> str | None:
        async with self._database.writing() as session:
            cursor = await inbound.hold(session, name, account, self._holder, LEASE)
        return None if cursor is None else cursor.position

    async def _hear_while_held(self, name: str, account: str) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._renew(name, account))
            group.create_task(self._ask(name, account))
            group.create_task(self._answer_all(name, account))
            group.create_task(self._tidy())

    async def _renew(self, name: str, account: str) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            if await self._hold(name, account) is None:
                raise LeaseLostHere

    async def _tidy(self) -> None:
        while True:
            async with self._database.writing() as session:
                await inbound.prune(session)
            await asyncio.sleep(3600)

    async def _ask(self, name: str, account: str) -> None:
        """Attach, then ask for news (a long poll), or only how the channel is (a webhook), for ever."""
        channel, attached, failures = self._channels[name, account], False, 0
        while True:
            try:
                if not attached:
                    await self._attach(name, account, channel)
                    attached = True
                await self._ask_once(name, account, channel)
                failures = 0
            except ConnectorError as error:
                failures, attached = failures + 1, False
                await self._note(name, account, "failing", error.detail)
                retry_after = error.retry_after if isinstance(error, TemporaryFailure) else None
                await asyncio.sleep(min(retry_after or 2.0**failures, _LONGEST))

    async def _attach(self, name: str, account: str, channel: Channel) -> None:
        hook = f"{self._public_url}/hooks/{name}/{account}" if self._public_url else None
        if channel.capabilities.mode == "webhook" and hook is None:
            _log.error("a channel that calls us needs public_url", channel=name)
        await channel.attach(hook if channel.capabilities.mode == "webhook" else None)
        await self._note(name, account, "live", await channel.probe())

    async def _ask_once(self, name: str, account: str, channel: Channel) -> None:
        if channel.capabilities.mode == "webhook":
            await asyncio.sleep(PROBE_SECONDS)
            await self._note(name, account, "live", await channel.probe())
            return
        position = await self._hold(name, account)
        if position is None:
            raise LeaseLostHere
        began = time.monotonic()
        polled = await channel.poll(position)
        async with self._database.writing() as session:
            if not await inbound.move(session, name, account, self._holder, polled.cursor):
                raise LeaseLostHere
            await inbound.keep(session, name, account, polled.events)
            await inbound.seen(session, name, account)
        if polled.events:
            self._bells[name, account].set()
        elif time.monotonic() - began < LEAST_SECONDS:
            await asyncio.sleep(LEAST_SECONDS)  # a server that does not hold polls open is not asked all the time

    async def _note(self, name: str, account: str, state: str, detail: str | None) -> None:
        async with self._database.writing() as session:
            await inbound.note(session, name, account, state, detail)

    async def _answer_all(self, name: str, account: str) -> None:
        """Answer what is kept, each thread in its order, threads side by side."""
        bell = self._bells[name, account]
        while True:
            bell.clear()
            async with self._database.reading() as session:
                rows = await inbound.waiting(session, name, account)
            threads: dict[str, list[Inbound]] = defaultdict(list)
            for row in rows:
                threads[row.thread].append(row)
            answered = await asyncio.gather(*(self._answer_thread(thread) for thread in threads.values()))
            if not any(answered):
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_SECONDS):
                        await bell.wait()

    async def _answer_thread(self, rows: list[Inbound]) -> int:
        """Answer until one has to wait: then those after it wait too. Gives how many were settled."""
        settled = 0
        for row in rows:
            if row.due_at > now() or not await self._answer(row):
                return settled
            settled += 1
        return settled

    async def _answer(self, row: Inbound) -> bool:
        """Answer one; whether it is settled now."""
        try:
            await self._answering.take(row.channel, row.account, inbound.event_of(row), again=row.attempts > 0)
        except (TooMany, Unavailable, ConnectorError) as error:
            return await self._later(row, error)
        except Exception as error:  # noqa: BLE001 - one event holds up no other thread
            _log.exception("an event of a channel could not be answered", inbound_id=row.id)
            return await self._later(row, error)
        async with self._database.writing() as session:
            await inbound.settle(session, row.id)
        return True

    async def _later(self, row: Inbound, error: Exception) -> bool:
        said = error.detail if isinstance(error, AssentError) else type(error).__name__
        wait = max(float(getattr(error, "retry_after", None) or 0.0), min(2.0 ** (row.attempts + 1), _LONGEST))
        async with self._database.writing() as session:
            if row.attempts + 1 >= ATTEMPTS:
                await inbound.settle(session, row.id, inbound.FAILED, said)
                return True
            await inbound.postpone(session, row.id, now() + timedelta(seconds=wait), row.attempts + 1, said)
        return False
