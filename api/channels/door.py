"""Every channel that is set up, as a door: made of the settings, heard while the api runs, and how each of them is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from api.channels.answering import Answering
from api.channels.desk import Desk
from api.channels.hearing import Hearing
from api.channels.hooks import Hooks
from api.intake import Intake
from api.limits import Limits
from connectors.channel import Capabilities, Channel, channel_client, channel_kinds, set_up_channels
from core.clock import now
from core.errors import Invalid
from core.rooms import Rooms
from core.settings import Settings
from core.store import inbound
from core.store.audit import AuditTrail
from core.store.database import Database
from core.tables.connect import Cursor
from core.values import Value

SEEN_WITHIN = timedelta(seconds=180)


class ChannelView(Value):
    """A channel: whether it is set up, and how it was last seen.

    `state`: off (not set up), live, failing (`detail` says why), unknown (nobody heard of it lately). `known_as` is
    our name there, `link_address` opens the private chat with a linking code in the place of CODE.
    """

    name: str
    title: str
    account: str | None = None
    state: str = "off"
    known_as: str | None = None
    detail: str | None = None
    seen_at: datetime | None = None
    link_address: str | None = None
    capabilities: Capabilities | None = None


class ChannelDoor:
    """Holds the channels of this process. Raises Misconfigured when the settings name one wrongly."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        rooms: Rooms,
        audit: AuditTrail,
        intake: Intake,
        limits: Limits,
    ) -> None:
        """Make them; nothing is called before `live`."""
        self._database = database
        self._client = channel_client()
        self.channels = set_up_channels(settings.channels, self._client)
        desk = Desk(database, rooms, audit, intake, limits, settings.public_url)
        self.answering = Answering(desk, self.channels)
        self.hooks = Hooks(database, rooms, self.channels, settings.body_bytes)
        self._hearing = Hearing(database, rooms, self.channels, self.answering, settings.public_url)

    @asynccontextmanager
    async def live(self) -> AsyncIterator[None]:
        """Hear them all meanwhile."""
        await self._hearing.start()
        try:
            yield
        finally:
            await self._hearing.aclose()
            await self._client.aclose()

    def named(self, name: str) -> Channel:
        """Give the channel of this name, the first of its accounts that is set up; raises Invalid."""
        found = sorted(account for channel, account in self.channels if channel == name)
        if not found:
            message = "No channel of this name is set up here."
            raise Invalid(message)
        return self.channels[name, found[0]]

    async def listed(self) -> list[ChannelView]:
        """Give every channel there is, set up or not."""
        async with self._database.reading() as session:
            seen = await inbound.standing(session)
        views: list[ChannelView] = []
        for name, kind in channel_kinds().items():
            mine = [(account, one) for (channel, account), one in self.channels.items() if channel == name]
            views += [_view(name, kind.title, account, one, seen.get((name, account))) for account, one in mine]
            views += [] if mine else [ChannelView(name=name, title=kind.title)]
        return views


def _view(name: str, title: str, account: str, channel: Channel, seen: Cursor | None) -> ChannelView:
    state = seen.state if seen is not None and seen.updated_at > now() - SEEN_WITHIN else "unknown"
    return ChannelView(
        name=name,
        title=title,
        account=account,
        state=state,
        known_as=seen.detail if seen is not None and state == "live" else None,
        detail=seen.detail if seen is not None and state == "failing" else None,
        seen_at=seen.updated_at if seen is not None else None,
        link_address=channel.address("CODE"),
        capabilities=channel.capabilities,
    )
