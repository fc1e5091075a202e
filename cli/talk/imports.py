"""Imported connectors on the command line."""

import sys
from collections.abc import Mapping, Sequence
from getpass import getpass
from typing import Any

from cli.talk.ending import WrongUsage
from cli.talk.proving import once_proved
from cli.talk.screen import Screen, one_line
from cli.talk.server import Server

_PATH = "/connectors/imported"


async def import_connector(server: Server, screen: Screen, body: Mapping[str, Any]) -> None:
    """Import one, and show what to look at."""
    _tell(screen, await server.post(_PATH, {name: one for name, one in body.items() if one is not None}))


async def list_imported(server: Server, screen: Screen) -> None:
    """List them with their state."""
    page = await server.get(_PATH, limit=100)
    if screen.json:
        screen.data(page)
        return
    rows = [
        (
            one_line(one["name"]),
            one["kind"],
            one["state"],
            f"{one['enabled']} of {one['actions']}",
            _line(one["address"]),
        )
        for one in page["items"]
    ]
    screen.table(("NAME", "KIND", "STATE", "ENABLED", "CALLS GO TO"), rows)


async def show_imported(server: Server, screen: Screen, name: str) -> None:
    """Show all of one."""
    _tell(screen, await _find(server, name))


async def review(
    server: Server,
    screen: Screen,
    name: str,
    *,
    add: Sequence[str] = (),
    drop: Sequence[str] | None = (),
    reading: bool = False,
    risks: Mapping[str, str] | None = None,
) -> None:
    """Change what is enabled, or what risk it is; `drop` None drops all."""
    shown = await _find(server, name)
    wanted = {one["name"] for one in shown["items"] if one["enabled"] or (reading and one["risk"] == "read")} | set(add)
    body = {
        "digest": shown["digest"],
        "enable": [] if drop is None else sorted(wanted - set(drop)),
        "risks": dict(risks or {}),
    }
    path = f"{_PATH}/{shown['id']}/actions"
    _tell(screen, await once_proved(server, screen, lambda: server.ask("PUT", path, body=body)))


async def set_credential(
    server: Server, screen: Screen, name: str, body: Mapping[str, Any] | None, *, stdin: bool
) -> None:
    """Set what it signs in with; None: nothing."""
    shown = await _find(server, name)
    path = f"{_PATH}/{shown['id']}/credential"
    if body is None:
        view = await server.ask("DELETE", path)
    else:
        view = await server.ask("PUT", path, body={**body, "secret": _secret(stdin=stdin)})
    if screen.json:
        screen.data(view)
    else:
        screen.show(f"{one_line(view['name'])} signs in with: {one_line(view['credential'] or 'nothing')}.")


def _secret(*, stdin: bool) -> str:
    if not stdin and not sys.stdin.isatty():
        message = "There is nobody to ask for the secret: pass it with --secret-stdin."
        raise WrongUsage(message)
    secret = sys.stdin.readline().rstrip("\r\n") if stdin else getpass("Secret: ")
    if not secret:
        message = "The secret is empty."
        raise WrongUsage(message)
    return secret


async def refresh_imported(server: Server, screen: Screen, name: str, document: str | None) -> None:
    """Read one again, and show what became of it."""
    shown = await _find(server, name)
    body = {"document": document} if document is not None else {}
    _tell(screen, await server.post(f"{_PATH}/{shown['id']}/refresh", body))


async def remove_imported(server: Server, screen: Screen, name: str) -> None:
    """Take one away."""
    shown = await _find(server, name)
    await server.ask("DELETE", f"{_PATH}/{shown['id']}")
    if screen.json:
        screen.data({"removed": shown["id"]})
    else:
        screen.show(f"{one_line(shown['name'])} is removed.")


async def _find(server: Server, name: str) -> Any:
    page = await server.get(_PATH, limit=100)
    found = [one["id"] for one in page["items"] if name in {one["name"], one["id"]}]
    if not found:
        message = "There is no imported connector of this name: `assent connectors imported` lists them."
        raise WrongUsage(message)
    return await server.get(f"{_PATH}/{found[0]}")


def _tell(screen: Screen, shown: Mapping[str, Any]) -> None:
    if screen.json:
        screen.data(shown)
        return
    screen.show(
        f"{one_line(shown['name'])} ({shown['kind']}): {shown['state']}. {_line(shown['detail'])}".strip(), "bold"
    )
    screen.show(f"Calls go to {_line(shown['address'])}; they sign in with {shown['credential'] or 'nothing'}.")
    for warning in shown["warnings"]:
        screen.show(f"! {one_line(warning)}", "yellow")
    for change in shown["changes"]:
        screen.show(f"~ {one_line(change)}", "yellow")
    rows = [
        (
            "yes" if one["enabled"] else "no",
            one_line(one["name"]),
            one["risk"],
            one["effect"],
            one_line(one["description"]),
        )
        for one in shown["items"]
    ]
    screen.table(("ENABLED", "ACTION", "RISK", "EFFECT", "WHAT IT IS"), rows)
    for one in shown["left_out"]:
        screen.show(f"- {one_line(one['name'])}: left out, {one_line(one['why'])}")


def _line(text: str | None) -> str:
    return one_line(text or "")
