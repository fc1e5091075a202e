"""The connectors on the command line."""

from typing import Any
from urllib.parse import quote

from cli.talk.ending import FAILED
from cli.talk.screen import Screen, one_line
from cli.talk.server import Server
from core.views import ServiceView

_WORDS = {"closed": "well", "open": "rests", "half_open": "is tried"}


async def list_connectors(server: Server, screen: Screen) -> None:
    """Show all connectors, those that cannot be used here with what they need."""
    page = await server.get("/connectors")
    if screen.json:
        screen.data(page)
        return
    rows = [(one_line(one["id"]), one_line(one["title"]), _actions(one), _state(one)) for one in page["items"]]
    screen.table(("NAME", "TITLE", "ACTIONS", "STATE"), rows)


async def check_connector(server: Server, screen: Screen, name: str) -> int:
    """Ask one connector's service; no good answer is exit code 1."""
    told = await server.post(f"/connectors/{quote(name, safe='')}/check", {})
    if screen.json:
        screen.data(told)
    else:
        screen.show(f"{one_line(name)}: {'ok' if told['ok'] else one_line(told['code'])}. {one_line(told['sentence'])}")
    return 0 if told["ok"] else FAILED


def _actions(connector: dict[str, Any]) -> str:
    return ", ".join(one_line(action["name"].partition(".")[2]) for action in connector["actions"])


def _state(connector: dict[str, Any]) -> str:
    if not connector["configured"]:
        return f"not set up: needs {one_line(connector['needs'])}"
    views = [ServiceView.model_validate(one) for one in connector["health"]]
    return "; ".join(_health(view) for view in views) or "not called yet"


def _health(view: ServiceView) -> str:
    host = f"{one_line(view.host)} " if view.host else ""
    if (
        view.breaker == "closed"
        and view.last_failure_at
        and (view.last_ok_at or view.last_failure_at) <= view.last_failure_at
    ):
        return f"{host}failed last"
    return f"{host}{_WORDS.get(view.breaker, view.breaker)}"
