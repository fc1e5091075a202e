"""Who takes deliveries out: one carrier for each kind."""

from datetime import datetime
from typing import Protocol

from core.tables.connect import Delivery


class Carrier(Protocol):
    """Sends, and edits what was sent. Holds no transaction meanwhile.

    Both give what the outside calls the message (`Delivery.external_ref`), None when it has no name. They raise
    `connectors.base.TemporaryFailure` (tried again, not before `retry_after`), `connectors.channel.Unreachable` (the
    person's identity is broken now), `connectors.base.PermanentFailure` (given up), NotWanted
    and NotYet.
    """

    async def send(self, delivery: Delivery) -> str | None:
        """Send it for the first time; a crash may make this happen twice."""
        ...

    async def edit(self, delivery: Delivery) -> str | None:
        """Make the sent message show how things stand now."""
        ...


class NotWanted(Exception):
    """Nobody needs it any more; the text says why. The delivery is dropped."""


class NotYet(Exception):
    """It is to be sent later, at `until`; that is no failed attempt."""

    def __init__(self, until: datetime, why: str) -> None:
        """Keep until when, and why."""
        super().__init__(why)
        self.until = until
