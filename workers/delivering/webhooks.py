"""The carrier of webhooks: signs what is told (Standard Webhooks) and posts it over the guarded transport."""

import asyncio
from dataclasses import dataclass

import httpx

from connectors.base import ConnectorError, PermanentFailure, TemporaryFailure
from connectors.guarded import ENCODED, open_guarded
from core.clock import now
from core.errors import Misconfigured
from core.rooms import Rooms
from core.sealing import Sealer
from core.signatures import headers_of
from core.store import webhooks
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.deliveries import WEBHOOK
from core.store.work import change
from core.tables.connect import Delivery, Webhook
from workers.delivering.carrier import NotWanted
from workers.delivering.sender import Sender

SECONDS = 10.0
_MOST_WAIT = 86_400.0


@dataclass(frozen=True)
class WebhookCarrier:
    """Posts one message at a time; any 2xx is a success, 410 ends the webhook, all else is tried again."""

    database: Database
    rooms: Rooms
    audit: AuditTrail
    sealer: Sealer
    client: httpx.AsyncClient

    async def send(self, delivery: Delivery) -> str | None:
        """Post it, signed anew for this attempt; its id is the delivery's at every one."""
        webhook = await self._webhook(delivery)
        body = webhooks.payload_bytes(delivery.body["payload"])
        status, retry_after = await self._post(delivery, webhook, body)
        if 200 <= status < 300:  # noqa: PLR2004 - what HTTP calls a success
            return None
        if status == httpx.codes.GONE:
            await self._end(webhook)
            message = "It answered 410: gone."
            raise PermanentFailure(message)
        message = f"It answered {status}."
        raise TemporaryFailure(message, retry_after=retry_after)

    async def edit(self, delivery: Delivery) -> str | None:
        """Do nothing: what was told stays as it was told."""
        return delivery.external_ref

    async def _webhook(self, delivery: Delivery) -> Webhook:
        async with self.database.reading() as session:
            row = await session.get(Webhook, delivery.account)
        if row is None or row.disabled_at is not None:
            message = "The webhook is disabled."
            raise NotWanted(message)
        return row

    async def _post(self, delivery: Delivery, webhook: Webhook, body: bytes) -> tuple[int, float | None]:
        """Give the status, and the seconds after which to come again where the other side says so."""
        try:
            secret = webhooks.secret_of(self.sealer, webhook)
        except Misconfigured as error:
            raise PermanentFailure(error.detail) from error
        headers = {**headers_of(secret, delivery.id, now(), body), "content-type": "application/json"}
        url = str(delivery.body.get("url") or webhook.url)
        try:
            # The answer's body is nobody's business, so it may be packed as it likes: it is not read.
            async with (
                asyncio.timeout(SECONDS),
                self.client.stream("POST", url, content=body, headers=headers, extensions={ENCODED: True}) as answer,
            ):
                return answer.status_code, _retry_after(answer)
        except TimeoutError:
            message = f"It did not answer within {SECONDS:.0f} seconds."
            raise TemporaryFailure(message) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            message = "This is no address."
            raise PermanentFailure(message) from error
        except ConnectorError:
            raise
        except httpx.HTTPError as error:
            message = f"It cannot be reached: {type(error).__name__}."
            raise TemporaryFailure(message) from error

    async def _end(self, webhook: Webhook) -> None:
        """Disable an address that is gone; an asker's secret signs on, for its other addresses."""
        if webhook.user_id is None:
            async with change(self.database, self.rooms) as work:
                await webhooks.disable_gone(work, self.audit, webhook.id)


@dataclass(frozen=True)
class Webhooks:
    """Carries webhooks, apart from what goes to people: none of those waits for a slow address."""

    database: Database
    rooms: Rooms
    audit: AuditTrail
    sealer: Sealer
    hosts: tuple[str, ...]

    async def run(self, stop: asyncio.Event) -> None:
        """Carry what is due until stopped. Raises Misconfigured when `hosts` cannot be read."""
        async with open_guarded(self.hosts, seconds=SECONDS) as client:
            carrier = WebhookCarrier(self.database, self.rooms, self.audit, self.sealer, client)
            await Sender(self.database, self.rooms, self.audit, {WEBHOOK: carrier}).run(stop)


def _retry_after(answer: httpx.Response) -> float | None:
    text = answer.headers.get("retry-after", "")
    return min(float(text), _MOST_WAIT) if text.isascii() and text.isdigit() else None
