"""A person's own profile on the command line."""

from collections.abc import Mapping
from typing import Any

from cli.talk.screen import Screen
from cli.talk.server import Server
from core.text import reveal

_PATH = "/users/me"


async def show(server: Server, screen: Screen) -> None:
    """Show the profile."""
    _show(screen, await server.get(_PATH))


async def change(
    server: Server, screen: Screen, given: Mapping[str, str | None], preferences: Mapping[str, str]
) -> None:
    """Change what is given; an empty text empties; preferences are added to those that there are."""
    body: dict[str, Any] = {name: value or None for name, value in given.items() if value is not None}
    if preferences:
        known = (await server.get(_PATH))["preferences"]
        body["preferences"] = {name: value for name, value in {**known, **preferences}.items() if value}
    _show(screen, await server.ask("PATCH", _PATH, body=body))


def _show(screen: Screen, profile: Mapping[str, Any]) -> None:
    if screen.json:
        screen.data(profile)
        return
    lines = [
        ("Name", profile["name"]),
        ("E-mail", profile["email"]),
        ("Language", profile["locale"] or "not said"),
        ("Time zone", profile["time_zone"] or "not said: UTC"),
        *((f"Preference {name}", value) for name, value in sorted(profile["preferences"].items())),
    ]
    for label, value in lines:
        screen.show(f"{reveal(label)}: {reveal(str(value))}")
