"""Modes on the command line."""

from typing import Any
from urllib.parse import quote

from cli.talk.screen import Screen
from cli.talk.server import Server
from core.views import ModeView


async def list_modes(server: Server, screen: Screen) -> None:
    """Show the modes."""
    page = await server.get("/modes")
    if screen.json:
        screen.data(page)
        return
    views = [ModeView.model_validate(item) for item in page["items"]]
    rows = [(one.name, one.title, _tools(one), _limits(one), "" if one.built_in else "own") for one in views]
    screen.table(("NAME", "TITLE", "TOOLS", "LIMITS", ""), rows)


async def add_mode(server: Server, screen: Screen, body: dict[str, Any]) -> None:
    """Make a mode."""
    made = await server.post("/modes", body)
    if screen.json:
        screen.data(made)
    else:
        screen.show(f"Made the mode {made['name']}.")


async def remove_mode(server: Server, screen: Screen, name: str) -> None:
    """Remove a mode."""
    await server.ask("DELETE", f"/modes/{quote(name, safe='')}")
    if screen.json:
        screen.data({"removed": name})
    else:
        screen.show(f"Removed the mode {name}.")


def _tools(mode: ModeView) -> str:
    if mode.tools is None:
        return "all"
    return ", ".join(mode.tools) or "none"


def _limits(mode: ModeView) -> str:
    known = {
        "model": mode.model,
        "tier": mode.tier,
        "rounds": mode.rounds,
        "calls": mode.tool_calls,
        "tokens": mode.max_tokens,
    }
    return ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)
