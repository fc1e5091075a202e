"""Webhooks on the command line: addresses that are told of events."""

from collections.abc import Sequence

from cli.talk.conversations import change
from cli.talk.screen import Screen
from cli.talk.server import Server
from core.views import DeliveryView, WebhookView


async def list_webhooks(server: Server, screen: Screen) -> None:
    """Show the workspace's webhooks."""
    page = await server.get("/webhooks", limit=100)
    if screen.json:
        screen.data(page)
        return
    views = [WebhookView.model_validate(item) for item in page["items"]]
    rows = [(one.id, one.url or "callbacks of requests", " ".join(one.events), _state(one)) for one in views]
    screen.table(("ID", "ADDRESS", "EVENTS", "STATE"), rows)


async def create_webhook(server: Server, screen: Screen, url: str, events: Sequence[str]) -> None:
    """Have an address told of events, and show the secret, which happens only once."""
    wanted = {"url": url, "events": list(events)} if events else {"url": url}
    answer = await server.post("/webhooks", wanted)
    if screen.json:
        screen.data(answer)
        return
    view = WebhookView.model_validate(answer["webhook"])
    screen.say(f"{view.id} is told of {' and '.join(view.events)}. Its secret is shown only once:")
    screen.show(str(answer["secret"]))


async def test_webhook(server: Server, screen: Screen, webhook_id: str) -> None:
    """Send it a message of no consequence."""
    await change(server, screen, "POST", f"/webhooks/{webhook_id}/test", None, "Sent:")


async def list_deliveries(server: Server, screen: Screen, webhook_id: str) -> None:
    """Show what went or goes to an address, the newest first."""
    page = await server.get(f"/webhooks/{webhook_id}/deliveries", limit=100)
    if screen.json:
        screen.data(page)
        return
    views = [DeliveryView.model_validate(item) for item in page["items"]]
    rows = [(one.id, f"{one.created_at:%Y-%m-%d %H:%M}", one.state, one.attempts, one.detail or "") for one in views]
    screen.table(("ID", "AT", "STATE", "ATTEMPTS", "DETAIL"), rows)


async def disable_webhook(server: Server, screen: Screen, webhook_id: str) -> None:
    """Tell it nothing any more."""
    await change(server, screen, "POST", f"/webhooks/{webhook_id}/disable", None, "Disabled:")


def _state(view: WebhookView) -> str:
    if view.disabled_at is None:
        return "active"
    return f"disabled: {view.disabled_why}" if view.disabled_why else "disabled"
