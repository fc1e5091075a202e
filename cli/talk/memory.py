"""Memory as a command shows it."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.talk.ending import FAILED
from cli.talk.screen import Screen, one_line
from cli.talk.server import Server

WORKS = frozenset({"ready", "rebuilding"})
_PAUSE = 0.3
_TO_BEGIN = 60.0  # seconds until a build that was asked for has to show


async def show_memory(server: Server, screen: Screen) -> int:
    """Show how it is."""
    view = await server.get("/memory")
    if screen.json:
        screen.data(view)
    else:
        _show(screen, view)
    return 0 if view["state"] in WORKS else FAILED


async def rebuild_memory(server: Server, screen: Screen) -> int:
    """Ask for a build, and follow it on stderr to its end."""
    before = await server.get("/memory")
    await server.post("/memory/rebuild")
    view = await _follow(server, before)
    if screen.json:
        screen.data(view)
    else:
        _show(screen, view)
    return 0 if view["state"] == "ready" else FAILED


async def _follow(server: Server, before: Mapping[str, Any]) -> dict[str, Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    began, until = False, asyncio.get_running_loop().time() + _TO_BEGIN
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Waiting", total=None)
        while True:
            view: dict[str, Any] = await server.get("/memory")
            if view["state"] == "rebuilding":
                began = True
                bar.update(task, description="Building", total=view["total"], completed=view["done"])
            elif began or view["built_at"] != before["built_at"] or asyncio.get_running_loop().time() > until:
                return view
            await asyncio.sleep(_PAUSE)


async def verify_memory(server: Server, screen: Screen) -> int:
    """Compare, and say what differs."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), console=Console(file=sys.stderr), transient=True
    ) as bar:
        bar.add_task("Comparing the index with what was said", total=None)
        verdict = await server.post("/memory/verify")
    if screen.json:
        screen.data(verdict)
        return 0 if verdict["clean"] else FAILED
    for shelf in verdict["shelves"]:
        counts = f"{shelf['in_sql']} in SQL, {shelf['in_index']} in the index, {shelf['compared']} compared"
        screen.show(f"{shelf['shelf']}: {counts}")
    for one in verdict["differences"]:
        screen.show(one_line(one))
    screen.show("The index says what was said." if verdict["clean"] else "The index differs: `assent memory rebuild`.")
    return 0 if verdict["clean"] else FAILED


def _show(screen: Screen, view: Mapping[str, Any]) -> None:
    screen.show(one_line(view["sentence"]))
    for name, count in view["rows"].items():
        screen.show(f"{name}: {count}")
    if view["model"]:
        screen.show(f"model: {one_line(view['model'])}, {view['dimension']} numbers, {view['backend'] or 'unknown'}")
    if view["waiting"]:
        screen.show(f"waiting to be learned: {view['waiting']}")
