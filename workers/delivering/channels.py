"""The carrier of everything that goes to channels: composes it as things stand now, and hands it to its channel."""

import time
from collections.abc import Mapping

from connectors.base import TemporaryFailure
from connectors.channel import Capabilities, Channel, MessageRef
from core.outgoing import OutMessage, plain
from core.store import deliveries
from core.tables.connect import Delivery
from workers.delivering.carrier import NotWanted
from workers.delivering.prompts import Prompts
from workers.delivering.replies import Replies

Channels = Mapping[tuple[str, str], Channel]
"""Every channel that is set up, by its name and account."""


class ChannelCarrier:
    """Carries replies, prompts, notices and progress."""

    def __init__(self, channels: Channels, prompts: Prompts, replies: Replies) -> None:
        """Take where things go, and who writes them."""
        self._channels = channels
        self._prompts = prompts
        self._replies = replies
        self._paused: dict[tuple[str, str, str], float] = {}

    async def send(self, delivery: Delivery) -> str | None:
        """Send it for the first time."""
        channel, message = await self._composed(delivery)
        with self._obeying(delivery):
            reference = await channel.send(delivery.thread, message, delivery.id)
        return reference.written()

    async def edit(self, delivery: Delivery) -> str | None:
        """Make the sent message say how things stand now."""
        channel, message = await self._composed(delivery)
        if delivery.external_ref is None:
            return None
        if not channel.capabilities.edit and message.buttons and await self._prompts.has_same_buttons(delivery):
            return None  # what was sent still holds: it is not said again for each vote
        with self._obeying(delivery):
            reference = await channel.edit(MessageRef.read(delivery.external_ref), message)
        return reference.written()

    async def _composed(self, row: Delivery) -> tuple[Channel, OutMessage]:
        channel = self._channels.get((row.channel, row.account))
        if channel is None:
            reason = "this channel is not set up any more"
            raise NotWanted(reason)
        left = self._paused.get(_lane(row), 0.0) - time.monotonic()
        if left > 0:
            message = "The channel asked for a pause."
            raise TemporaryFailure(message, retry_after=left)
        return channel, await self._compose(row, channel.capabilities)

    async def _compose(self, row: Delivery, can: Capabilities) -> OutMessage:
        if row.kind == deliveries.PROMPT:
            return await self._prompts.compose(row, can.assurance, can.fold)
        if row.kind == deliveries.REPLY:
            return await self._replies.compose(row)
        if row.kind == deliveries.PROGRESS:
            return await self._replies.progress(row)
        if "reminds_of" in row.body:
            return await self._prompts.remind(row)
        return OutMessage.model_validate(row.body["message"]) if "message" in row.body else plain(row.body["text"])

    def _obeying(self, row: Delivery) -> "_Obeying":
        return _Obeying(self._paused, _lane(row))


class _Obeying:
    """Remembers how long a thread wants to be left alone."""

    def __init__(self, paused: dict[tuple[str, str, str], float], lane: tuple[str, str, str]) -> None:
        self._paused = paused
        self._lane = lane

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Note a pause that was asked for; forget one that is over."""
        if isinstance(error, TemporaryFailure) and error.retry_after is not None:
            self._paused[self._lane] = time.monotonic() + error.retry_after
        elif error is None:
            self._paused.pop(self._lane, None)


def _lane(row: Delivery) -> tuple[str, str, str]:
    return row.channel, row.account, row.thread
