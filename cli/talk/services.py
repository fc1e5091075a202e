"""Services on the command line: programs with a place of their own."""

from collections.abc import Sequence
from typing import Any

from cli.talk.conversations import change
from cli.talk.screen import Screen
from cli.talk.server import Server
from core.permissions import Scope
from core.views import ApiTokenView, PersonView


async def list_services(server: Server, screen: Screen) -> None:
    """Show the workspace's services."""
    page = await server.get("/services", limit=100)
    if screen.json:
        screen.data(page)
        return
    views = [PersonView.model_validate(item) for item in page["items"]]
    rows = [(one.id, one.name, one.role, "disabled" if one.disabled_at else "active") for one in views]
    screen.table(("ID", "NAME", "ROLE", "STATE"), rows)


async def create_service(server: Server, screen: Screen, name: str, role: str, scopes: Sequence[Scope]) -> None:
    """Make a service with a first key, and show the key, which happens only once."""
    service = PersonView.model_validate(await server.post("/services", {"name": name, "role": role}))
    answer = await server.post(f"/services/{service.id}/keys", _asked(name, None, scopes))
    if screen.json:
        screen.data({"service": service.model_dump(mode="json"), **answer})
        return
    screen.say(f"Made the service {service.name}: {service.id}")
    _show_key(screen, answer)


async def new_key(
    server: Server, screen: Screen, service_id: str, name: str, days: int | None, scopes: Sequence[Scope]
) -> None:
    """Make another key of a service and show it, which happens only once."""
    answer = await server.post(f"/services/{service_id}/keys", _asked(name, days, scopes))
    if screen.json:
        screen.data(answer)
        return
    _show_key(screen, answer)


def _asked(name: str, days: int | None, scopes: Sequence[Scope]) -> dict[str, Any]:
    body: dict[str, Any] = {"name": name}
    if days is not None:
        body["days"] = days
    if scopes:
        body["scopes"] = [scope.value for scope in scopes]
    return body


def _show_key(screen: Screen, answer: dict[str, Any]) -> None:
    view = ApiTokenView.model_validate(answer["token"])
    until = f"until {view.expires_at:%Y-%m-%d}" if view.expires_at else "for ever"
    screen.say(f"The key {view.id} may {' and '.join(view.scopes)}, {until}. It is shown only once:")
    screen.show(str(answer["secret"]))


async def list_keys(server: Server, screen: Screen, service_id: str) -> None:
    """Show a service's keys."""
    page = await server.get(f"/services/{service_id}/keys", limit=100)
    if screen.json:
        screen.data(page)
        return
    views = [ApiTokenView.model_validate(item) for item in page["items"]]
    rows = [(one.id, f"...{one.hint}", one.name, " ".join(one.scopes), _state(one)) for one in views]
    screen.table(("ID", "ENDS IN", "NAME", "SCOPES", "STATE"), rows)


async def disable_service(server: Server, screen: Screen, service_id: str) -> None:
    """Shut a service out."""
    await change(server, screen, "POST", f"/services/{service_id}/disable", None, "Disabled:")


def _state(view: ApiTokenView) -> str:
    if view.revoked_at is not None:
        return "revoked"
    return f"until {view.expires_at:%Y-%m-%d}" if view.expires_at else "holds for ever"
