"""How the server is."""

from collections.abc import Mapping
from typing import Any

from cli.talk.credentials import DEFAULT_URL, CredentialStore
from cli.talk.ending import FAILED
from cli.talk.screen import Screen, one_line
from cli.talk.server import open_client, send


async def show_health(screen: Screen, url: str | None) -> int:
    """Ask without signing in; anything but a healthy server is exit code 1."""
    stored = CredentialStore().read()
    async with open_client(url or (stored.url if stored else DEFAULT_URL)) as client:
        response = await send(client, "GET", "/health")
    health = response.json()
    if screen.json:
        screen.data(health)
    else:
        _show(screen, health)
    return 0 if response.is_success else FAILED


def _show(screen: Screen, members: Mapping[str, Any], depth: int = 0) -> None:
    for name, value in members.items():
        if isinstance(value, dict):
            screen.show(f"{'  ' * depth}{one_line(name)}")
            _show(screen, value, depth + 1)
        elif value is not None:
            screen.show(f"{'  ' * depth}{one_line(name)}: {one_line(value)}")
