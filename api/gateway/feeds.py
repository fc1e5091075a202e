"""All streams that somebody here listens to: joining, leaving, and hearing that there is something new."""

import asyncio
from collections.abc import Sequence

from api.gateway.clients import Client
from api.gateway.errors import ResyncRequired
from api.gateway.feed import Feed, Since
from api.gateway.packets import frame
from core.errors import NotFound, TooMany
from core.events import Envelope, VolatileEvent
from core.store import audience, streams
from core.store.database import Database
from core.store.streams import Log

STREAMS_PER_CLIENT = 100
REPLAY_CHUNK = 100


class Feeds:
    """Listens to `Rooms`; a ring is a hint, `poll` finds what no ring told."""

    def __init__(self, database: Database) -> None:
        """Begin without streams; make it where the event loop runs."""
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._feeds: dict[str, Feed] = {}

    def __len__(self) -> int:
        return len(self._feeds)

    def rang(self, stream_id: str) -> None:
        """Hear that a stream has new events; from any thread."""
        if stream_id in self._feeds:
            self._loop.call_soon_threadsafe(self._wake, stream_id)

    def said(self, stream_id: str, event: VolatileEvent) -> None:
        """Hear a volatile event; from any thread."""
        if stream_id in self._feeds:
            self._loop.call_soon_threadsafe(self._say, stream_id, event)

    def _wake(self, stream_id: str) -> None:
        if feed := self._feeds.get(stream_id):
            feed.wake()

    def _say(self, stream_id: str, event: VolatileEvent) -> None:
        if feed := self._feeds.get(stream_id):
            feed.say(event)

    async def poll(self) -> None:
        """Look at all streams in one go, and send where something is new."""
        async with self._database.reading() as session:
            ends = await audience.ends_of(session, list(self._feeds))
        for stream_id, log in ends.items():
            feed = self._feeds.get(stream_id)
            if feed is not None and feed.is_behind(log):
                feed.wake()
        for feed in list(self._feeds.values()):
            self._forget(feed)

    async def join(self, client: Client, stream_id: str, since: Since | None = None) -> Log:
        """Listen from now on, or from `since` on, without a gap or a repetition; answers how far the client has got.

        Raises NotFound, TooMany, ResyncRequired.
        """
        async with client.joining:
            if len(client.streams) >= STREAMS_PER_CLIENT and stream_id not in client.streams:
                message = f"At most {STREAMS_PER_CLIENT} conversations can be followed at once; leave one."
                raise TooMany(message)
            if since is not None:
                self.leave(client, stream_id)
                since = await self._replay(client, stream_id, since)
            feed = self._feeds.setdefault(stream_id, Feed(stream_id, self._database))
            feed.joining += 1
            try:
                return await self._enter(feed, client, since)
            finally:
                feed.joining -= 1
                self._forget(feed)

    async def _replay(self, client: Client, stream_id: str, since: Since) -> Since:
        """Send old events at the client's own pace; the last few are left for `_enter`."""
        start: Since | None = since
        while True:
            log, envelopes = await self._read(client, stream_id, since.after_seq, REPLAY_CHUNK)
            (start or Since(epoch=since.epoch, after_seq=log.last_seq)).check(log)
            start = None
            if len(envelopes) < REPLAY_CHUNK:
                return since
            _send(client, since.after_seq, log, envelopes)
            since = Since(epoch=since.epoch, after_seq=envelopes[-1].seq)
            await client.drained()

    async def _enter(self, feed: Feed, client: Client, since: Since | None) -> Log:
        async with feed.lock:
            after = None if since is None else since.after_seq
            log, envelopes = await self._read(client, feed.stream_id, after, streams.REPLAY_LIMIT)
            if since is not None:
                since.check(log)
                _send(client, since.after_seq, log, envelopes)
            if client.is_gone:
                message = "This connection is closed."
                raise NotFound(message)
            feed.meet(log)
            seq = envelopes[-1].seq if envelopes else log.last_seq
            client.streams.add(feed.stream_id)
            feed.add(client, seq)
            return Log(epoch=log.epoch, last_seq=seq)

    async def _read(
        self, client: Client, stream_id: str, after: int | None, limit: int
    ) -> tuple[Log, Sequence[Envelope]]:
        """Read, in one consistent state, where the stream stands and what comes after; checks who asks."""
        async with self._database.reading() as session:
            log = await audience.stream_for(session, client.principal, stream_id)
            if after is None:
                return log, ()
            return log, await streams.after(session, stream_id, log.epoch, after, limit)

    def leave(self, client: Client, stream_id: str) -> None:
        """Stop listening."""
        client.streams.discard(stream_id)
        if feed := self._feeds.get(stream_id):
            feed.members.pop(client, None)
            self._forget(feed)

    def leave_all(self, client: Client) -> None:
        """Stop listening to everything."""
        for stream_id in list(client.streams):
            self.leave(client, stream_id)

    def _forget(self, feed: Feed) -> None:
        if feed.is_idle:
            self._feeds.pop(feed.stream_id, None)


def _send(client: Client, after: int, log: Log, envelopes: Sequence[Envelope]) -> None:
    """Send old events; raises ResyncRequired when some are no longer kept."""
    if log.last_seq > after and (not envelopes or envelopes[0].seq != after + 1):
        message = "What was missed is not kept any more: fetch it again."
        raise ResyncRequired(message, epoch=log.epoch, last_seq=log.last_seq)
    for envelope in envelopes:
        client.push(frame(str(envelope.event["type"]), envelope.model_dump(mode="json")))
