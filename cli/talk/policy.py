"""The workspace's rules on the command line."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import typer

from cli.talk.editor import edit_text
from cli.talk.ending import ServerError, WrongUsage
from cli.talk.proving import once_proved
from cli.talk.screen import Screen
from cli.talk.server import Server
from core.text import reveal
from core.values import OperationMode

_EMPTY = """\
# The workspace's rules: the first that fits decides; what none is about, the built-in rules decide.
# docs/policy.md has all that a rule can say.
rules: []
"""


async def show_policy(server: Server, screen: Screen, version: int | None) -> None:
    """Show the rules as YAML."""
    shown = await server.get("/policy" if version is None else f"/policy/versions/{version}")
    if screen.json:
        screen.data(shown)
        return
    if not shown["version"]:
        screen.say("There are no rules of your own: the built-in rules decide.")
    _show_text(screen, shown["yaml"])


def _show_text(screen: Screen, text: str) -> None:
    for line in text.splitlines():
        screen.show(reveal(line))


async def edit_policy(server: Server, screen: Screen, note: str | None) -> int:
    """Let a person change the rules until they can be saved, or until they give up; returns the exit code."""
    if not screen.interactive:
        message = "Nobody is here to edit: use `assent policy save FILE`."
        raise WrongUsage(message)
    shown = await server.get("/policy")
    text = shown["yaml"] if shown["version"] else _EMPTY
    while True:
        edited = await asyncio.to_thread(edit_text, text, ".yaml")
        if edited == text:
            screen.say("Nothing was changed.")
            return 1
        text = edited
        if await _is_fine(server, screen, text, shown["version"]):
            return await save_policy(server, screen, text, note, shown["version"], dry_run=False)
        if not await _agreed("Go on editing?"):
            return 1


async def _is_fine(server: Server, screen: Screen, text: str, version: int) -> bool:
    """Show what is wrong and what would change; whether the person wants it saved."""
    try:
        tried = await _put(server, screen, text, None, version, dry_run=True)
    except ServerError as error:
        screen.say(str(error))
        return False
    _tell(screen, tried["problems"], tried["changes"])
    return not _refused(tried["problems"]) and await _agreed("Save these rules?")


async def _agreed(question: str) -> bool:
    return bool(await asyncio.to_thread(typer.confirm, question, err=True))


async def save_policy(
    server: Server, screen: Screen, text: str, note: str | None, expected: int | None, *, dry_run: bool
) -> int:
    """Save the rules, or only say what that would do; returns the exit code."""
    if expected is None:
        expected = (await server.get("/policy"))["version"]
    saved = await _put(server, screen, text, note, expected, dry_run=dry_run)
    if screen.json:
        screen.data(saved)
    else:
        _tell(screen, saved["problems"], saved["changes"])
        screen.show(f"Version {saved['policy']['version']} holds now." if saved["policy"] else "Nothing was saved.")
    return 1 if _refused(saved["problems"]) else 0


async def _put(
    server: Server, screen: Screen, text: str, note: str | None, expected: int, *, dry_run: bool
) -> dict[str, Any]:
    body = {"yaml": text, "note": note, "expected_version": expected, "dry_run": dry_run}
    answer: dict[str, Any] = await once_proved(server, screen, lambda: server.ask("PUT", "/policy", body=body))
    return answer


def _refused(problems: Sequence[Mapping[str, Any]]) -> bool:
    return any(one["severity"] == "error" for one in problems)


def _tell(screen: Screen, problems: Sequence[Mapping[str, Any]], changes: Sequence[Mapping[str, Any]]) -> None:
    _tell_problems(screen, problems)
    _tell_changes(screen, changes)


def _tell_problems(screen: Screen, problems: Sequence[Mapping[str, Any]]) -> None:
    for one in problems:
        of = f" ({reveal(one['rule'])})" if one["rule"] else ""
        style = "bold red" if one["severity"] == "error" else "yellow"
        screen.show(f"{one['severity']}: {reveal(one['where'])}{of}: {reveal(one['message'])}", style)


def _tell_changes(screen: Screen, changes: Sequence[Mapping[str, Any]]) -> None:
    signs = {"added": "+", "removed": "-", "moved": ">", "changed": "~"}
    for one in changes:
        screen.show(f"{signs[one['kind']]} {one['what']} {reveal(one['name'])}: {reveal(one['words'])}")


async def check_policy(server: Server, screen: Screen, text: str) -> int:
    """Say what is wrong; returns 1 when it could not be saved."""
    checked = await server.post("/policy/check", {"yaml": text})
    if screen.json:
        screen.data(checked)
    else:
        _tell_problems(screen, checked["problems"])
        screen.show("These rules can be saved." if checked["ok"] else "These rules cannot be saved.")
    return 0 if checked["ok"] else 1


async def try_policy(server: Server, screen: Screen, body: Mapping[str, Any]) -> None:
    """Show what the rules would make of a call."""
    found = await server.post("/policy/test", {name: one for name, one in body.items() if one is not None})
    if screen.json:
        screen.data(found)
        return
    place = "" if found["place"] is None else f" (rule {found['place'] + 1})"
    screen.show(f"{found['verdict'].upper()}  {reveal(found['rule'])}{place}", "bold")
    if found["arguments_problem"]:
        screen.show(f"  the action would not take these arguments: {reveal(found['arguments_problem'])}", "yellow")
    for stage in found["stages"]:
        for need in stage["needs"]:
            people = ", ".join(reveal(one) for one in need["people"]) or "nobody"
            name = f"{reveal(stage['name'])}: " if stage["name"] else ""
            screen.show(f"  {name}{need['count']} of {people}")
    if found["plan"]:
        screen.show(f"  at least {found['plan']['assurance']}, until {found['expires_at']}")
    for one in found["looked"]:
        screen.show(f"  {one['place'] + 1}. {reveal(one['name'])}: {reveal(one['reason'])}", "dim")


async def compare_policies(server: Server, screen: Screen, body: Mapping[str, Any]) -> None:
    """Show what is different."""
    found = await server.post("/policy/diff", body)
    if screen.json:
        screen.data(found)
        return
    _tell_changes(screen, found["changes"])
    if not found["changes"]:
        screen.show("They say the same.")


async def list_versions(server: Server, screen: Screen, limit: int) -> None:
    """List the versions."""
    page = await server.get("/policy/versions", limit=limit)
    if screen.json:
        screen.data(page)
        return
    rows = [
        (
            one["version"],
            f"{datetime.fromisoformat(one['created_at']):%Y-%m-%d %H:%M}",
            one["created_by_name"],
            one["note"] or "",
            one["digest"][:12],
        )
        for one in page["items"]
    ]
    screen.table(("VERSION", "SAVED (UTC)", "BY", "NOTE", "DIGEST"), rows)


async def operate(server: Server, screen: Screen, mode: OperationMode | None) -> None:
    """Show the operation mode, or change it."""
    if mode is None:
        shown = await server.get("/workspace")
    else:
        shown = await server.ask("PUT", "/workspace/mode", body={"mode": mode.value})
    if screen.json:
        screen.data(shown)
        return
    since = f", since {shown['mode_changed_at']}" if shown["mode_changed_at"] else ""
    by = f" by {reveal(shown['mode_changed_by_name'])}" if shown["mode_changed_by_name"] else ""
    screen.show(f"{shown['operation_mode']}{since}{by}")
