"""One stream and those who listen to it: each gets every durable event once, in order, from SQL."""

import asyncio
from collections.abc import Sequence

import structlog
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from api.gateway.clients import Client
from api.gateway.errors import ResyncRequired
from api.gateway.packets import frame
from core.errors import AssentError, NotFound
from core.events import Envelope, Typing, VolatileEvent
from core.store import audience, streams
from core.store.database import Database
from core.store.streams import Log

CHUNK = 200
LONG_BACKLOG = 100

_log = structlog.get_logger()


class Since(BaseModel):
    """Where a client stands: the last number it has, in which epoch of the stream."""

    epoch: str
    after_seq: int

    def check(self, log: Log) -> None:
        """Raise ResyncRequired when what was missed cannot be replayed."""
        missed = log.last_seq - self.after_seq
        if self.epoch != log.epoch or not 0 <= missed <= streams.REPLAY_LIMIT:
            message = "Too much was missed, or the stream began anew: fetch it again."
            raise ResyncRequired(message, epoch=log.epoch, last_seq=log.last_seq)


class Feed:
    """A stream with members, each with the number it has got to. `lock` is held while anything durable is sent."""

    def __init__(self, stream_id: str, database: Database) -> None:
        """Begin without members."""
        self.stream_id = stream_id
        self.epoch = ""
        self.members: dict[Client, int] = {}
        self.lock = asyncio.Lock()
        self.joining = 0
        self.has_spoken = False
        self._database = database
        self._is_stale = False
        self._sending: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nobody listens or is about to."""
        return not self.members and not self.joining

    def add(self, client: Client, seq: int) -> None:
        """Let a client listen that has all up to `seq`; under the lock. A ring that came too early is heard now."""
        self.members[client] = seq
        if self._is_stale:
            self.wake()

    def is_behind(self, log: Log) -> bool:
        """Whether members have to hear something: events, that the stream began anew, or that they may not listen."""
        return self.has_spoken or log.epoch != self.epoch or any(seq < log.last_seq for seq in self.members.values())

    def wake(self) -> None:
        """Send what is new, soon; a call while that goes on makes it look once more."""
        self._is_stale = True
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send_all())

    def say(self, event: VolatileEvent) -> None:
        """Pass a volatile event on to those who keep up; typing not to the person who types."""
        self.has_spoken = True
        packet = frame(event.type, event.model_dump(mode="json"))
        skipped = event.user_id if isinstance(event, Typing) else None
        for client in self.members:
            if client.principal.user_id != skipped and client.backlog < LONG_BACKLOG:
                client.push(packet)

    def expel(self, client: Client, error: AssentError) -> None:
        """Drop a member, and say why."""
        self.members.pop(client, None)
        client.streams.discard(self.stream_id)
        client.complain(error, stream=self.stream_id)

    def meet(self, log: Log) -> None:
        """Note the stream's epoch; members of another one have to fetch."""
        if self.epoch and self.epoch != log.epoch:
            for client in list(self.members):
                self.expel(client, ResyncRequired("The stream began anew: fetch it again."))
        self.epoch = log.epoch

    def hand_out(self, envelopes: Sequence[Envelope]) -> None:
        """Send events to each member that has not had them; each is framed once."""
        for envelope in envelopes:
            packet = frame(str(envelope.event["type"]), envelope.model_dump(mode="json"))
            for client, seq in list(self.members.items()):
                if seq >= envelope.seq:
                    continue
                self.members[client] = envelope.seq
                if not client.push(packet):
                    self.members.pop(client, None)

    async def _send_all(self) -> None:
        """Send until there is nothing new. What fails is tried again at the next poll or ring."""
        try:
            while self._is_stale and self.members:
                self._is_stale = False
                await self._flush()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            _log.warning("events wait for the database", stream=self.stream_id, error=type(error).__name__)

    async def _flush(self) -> None:
        async with self.lock:
            self.has_spoken = False
            while self.members:
                envelopes = await self._read()
                self.hand_out(envelopes)
                if len(envelopes) < CHUNK:
                    return
                await asyncio.sleep(0)  # let the writers take some

    async def _read(self) -> list[Envelope]:
        """Read what the last member misses, having dropped those who may not listen any more."""
        async with self._database.reading() as session:
            ids = {client.principal.session_id for client in self.members}
            admitted = await audience.admitted(session, self.stream_id, ids)
            ends = await audience.ends_of(session, [self.stream_id])
            self.meet(ends.get(self.stream_id) or Log(epoch="", last_seq=0))
            for client in list(self.members):
                if client.principal.session_id not in admitted:
                    self.expel(client, NotFound("There is no such conversation."))
            if not self.members:
                return []
            lowest = min(self.members.values())
            return await streams.after(session, self.stream_id, self.epoch, lowest, CHUNK)
