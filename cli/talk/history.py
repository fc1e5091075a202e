"""A turn's history: one ordered timeline of who did what, when, how often and how long."""

from collections.abc import Mapping
from typing import Any

from cli.talk.screen import Screen, one_line
from cli.talk.server import Server


async def show_history(server: Server, screen: Screen, turn_id: str) -> None:
    """Fetch and write the timeline."""
    history = await server.get(f"/turns/{turn_id}/history")
    if screen.json:
        screen.data(history)
        return
    turn = history["turn"]
    screen.show(f"Turn {turn['id']}: {turn['state']}", "bold")
    if turn.get("error"):
        screen.show(f"  {turn['error']['detail']} ({turn['error']['code']})", "red")
    screen.table(("AT", "WHERE", "WHAT", "DETAIL"), [_row(entry) for entry in history["entries"]])
    if history.get("temporal_url"):
        screen.show(f"In Temporal: {history['temporal_url']}")


def _row(entry: Mapping[str, Any]) -> tuple[str, str, str, str]:
    parts = [one_line(entry.get("detail") or "")]
    if (entry.get("attempt") or 1) > 1:
        parts.append(f"attempt {entry['attempt']}")
    if entry.get("duration_ms") is not None:
        parts.append(f"{entry['duration_ms']} ms")
    if entry.get("failure"):
        parts.append(f"failed: {one_line(entry['failure'])}")
    clock = str(entry["at"]).replace("T", " ")[:23]
    return clock, str(entry["lane"]), str(entry["title"]), ", ".join(part for part in parts if part)
