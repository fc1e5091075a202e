"""Other arguments than those that were asked for: said one by one, or written in the person's own editor."""

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.talk.ending import WrongUsage
from cli.talk.screen import Screen
from cli.talk.server import Server
from core.text import reveal
from core.views import ApprovalView


async def changed_arguments(
    server: Server, screen: Screen, approval: ApprovalView, said: Sequence[str], *, write: bool
) -> dict[str, Any] | None:
    """Give the arguments as the person wants them; None when nothing was changed. The server checks them.

    `said`: NAME=VALUE; `write`: in an editor. Raises WrongUsage for what cannot be read.
    """
    schema = approval.arguments_schema or await _schema_of(server, approval.action)
    wanted = dict(approval.arguments)
    for one in said:
        name, value = _assigned(one, schema)
        wanted[name] = value
    if write:
        wanted = _written(wanted)
    if wanted == approval.arguments:
        return None
    for line in differences(approval.arguments, wanted):
        screen.say(line)
    return wanted


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Write what an edit changes, one line for each argument."""
    names = [*before, *(name for name in after if name not in before)]
    return [
        f"  {reveal(name)}: {_shown(before, name)} -> {_shown(after, name)}"
        for name in names
        if before.get(name, ...) != after.get(name, ...)
    ]


def _shown(arguments: Mapping[str, Any], name: str) -> str:
    return reveal(json.dumps(arguments[name], ensure_ascii=False)) if name in arguments else "nothing"


async def _schema_of(server: Server, action: str) -> Mapping[str, Any]:
    """Give the schema of an action; an empty one for what is no connector's."""
    page = await server.get("/connectors")
    found: Mapping[str, Any] = {}
    for connector in page["items"]:
        for one in connector["actions"]:
            if f"{connector['id']}.{one['name']}" == action or one["name"] == action:
                found = one.get("schema") or {}
    return found


def _assigned(text: str, schema: Mapping[str, Any]) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    known = schema.get("properties", {})
    if not equals or not name:
        message = f"{text!r} is no NAME=VALUE."
        raise WrongUsage(message)
    if known and name not in known:
        message = f"There is no argument {name!r} here; there are: {', '.join(sorted(known))}."
        raise WrongUsage(message)
    if known.get(name, {}).get("type", "string") == "string":
        return name, value
    try:
        return name, json.loads(value)
    except ValueError as error:
        message = f"{name} wants {known[name]['type']}, as JSON: {value!r} is none."
        raise WrongUsage(message) from error


def _written(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Let the person write the arguments as JSON in $VISUAL or $EDITOR."""
    text = _in_editor(json.dumps(arguments, indent=2, ensure_ascii=False) + "\n")
    try:
        found = json.loads(text)
    except ValueError as error:
        message = f"What was written is no JSON: {error}. Nothing was decided."
        raise WrongUsage(message) from error
    if not isinstance(found, dict):
        message = "The arguments are a JSON object, {...}. Nothing was decided."
        raise WrongUsage(message)
    return found


def _in_editor(text: str) -> str:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        message = "No editor is set: set EDITOR, or say --set NAME=VALUE instead."
        raise WrongUsage(message)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arguments.json"
        path.write_text(text, encoding="utf-8")
        try:
            subprocess.run([*shlex.split(editor), str(path)], check=True)
            return path.read_text(encoding="utf-8")
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            message = f"The editor did not end well: {error}. Nothing was decided."
            raise WrongUsage(message) from error
