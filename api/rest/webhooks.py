"""Webhooks: addresses that are told of events (Standard Webhooks), and what became of each message."""

from typing import Annotated, Literal

from fastapi import APIRouter, status
from pydantic import Field, StringConstraints

from api.addresses import check_webhook_url
from api.rest.context import Here, PathId, Who
from api.rest.pages import Cursor, Limit, Page
from connectors.addresses import PrivateHosts
from core.store import webhooks
from core.store.work import change
from core.text import SafeStr
from core.values import Value
from core.views import DeliveryView, WebhookView

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

Event = Literal["approval.requested", "approval.closed", "call.unknown"]


class NewWebhook(Value):
    """An address, and what it is told of."""

    url: Annotated[SafeStr, StringConstraints(max_length=2_000)] = Field(examples=["https://example.com/assent"])
    events: Annotated[tuple[Event, ...], Field(min_length=1, max_length=10)] = ("approval.closed",)


class MadeWebhook(Value):
    """The webhook, and the secret that its messages are signed with; nobody can see `secret` again."""

    webhook: WebhookView
    secret: str


@router.get("")
async def list_webhooks(here: Here, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Page[WebhookView]:
    """List the workspace's webhooks, newest first; for owners and admins."""
    async with here.database.reading() as session:
        items, following, total = await webhooks.page(session, who, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create(here: Here, who: Who, body: NewWebhook) -> MadeWebhook:
    """Have an address told of events; for owners and admins."""
    await here.limits.check("ask", who.user_id)
    url = check_webhook_url(body.url, PrivateHosts.parse(here.settings.webhook_hosts))
    events = tuple(dict.fromkeys(body.events))
    async with change(here.database, here.rooms) as work:
        view, secret = await webhooks.create(work, here.audit, here.sealer, who, url, events)
    return MadeWebhook(webhook=view, secret=secret)


@router.post("/callback-secret", status_code=status.HTTP_201_CREATED)
async def renew_callback_secret(here: Here, who: Who) -> MadeWebhook:
    """Make the secret that signs the callbacks of your own requests from now on; an earlier one signs no more."""
    await here.limits.check("ask", who.user_id)
    async with change(here.database, here.rooms) as work:
        view, secret = await webhooks.renew_callback_secret(work, here.audit, here.sealer, who)
    return MadeWebhook(webhook=view, secret=secret)


@router.post("/{webhook_id}/test", status_code=status.HTTP_202_ACCEPTED)
async def test(here: Here, who: Who, webhook_id: PathId) -> DeliveryView:
    """Send it a message of type `webhook.test`; its deliveries tell what became of it."""
    await here.limits.check("ask", who.user_id)
    async with change(here.database, here.rooms) as work:
        return await webhooks.test(work, who, webhook_id)


@router.post("/{webhook_id}/disable")
async def disable(here: Here, who: Who, webhook_id: PathId) -> WebhookView:
    """Tell it nothing any more; what waits is dropped."""
    async with change(here.database, here.rooms) as work:
        return await webhooks.disable(work, here.audit, who, webhook_id)


@router.get("/{webhook_id}/deliveries")
async def list_deliveries(
    here: Here, who: Who, webhook_id: PathId, limit: Limit = 50, cursor: Cursor = None
) -> Page[DeliveryView]:
    """List what went or goes to it, newest first, and what became of it."""
    async with here.database.reading() as session:
        items, following, total = await webhooks.deliveries_of(session, who, webhook_id, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)
