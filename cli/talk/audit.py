"""The audit trail on the command line."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cli.talk.ending import FAILED
from cli.talk.files import keep, parts
from cli.talk.screen import Screen, one_line
from cli.talk.server import Server
from core.audit import Head
from core.errors import Invalid
from core.text import reveal

_WIDEST = 60
_NEWEST = 1000
"""So many published heads are compared: a chain that has the newest of them has those before."""


async def list_rows(
    server: Server, screen: Screen, kind: str | None, actor: str | None, subject: str | None, limit: int
) -> None:
    """Show the newest rows."""
    page = await server.get("/audit", kind=kind, actor=actor, subject=subject, limit=limit)
    if screen.json:
        screen.data(page)
        return
    heads = ("NUMBER", "TIME", "KIND", "BY", "ABOUT", "FACTS")
    screen.table(heads, [_cells(row) for row in page["items"]])


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    facts = one_line(reveal(json.dumps(row["body"], ensure_ascii=False)))
    cut = facts if len(facts) <= _WIDEST else f"{facts[:_WIDEST]}…"
    return row["number"], row["at"][:19], row["kind"], row["actor"], row["subject"], cut


async def verify(server: Server, screen: Screen, against: Path | None) -> int:
    """Let the server check its audit chain, and compare it with published heads; a broken one is exit code 1."""
    if against is None:
        report = await server.get("/audit/verify")
    else:
        heads = [head.model_dump(mode="json") for head in read_heads(against)[-_NEWEST:]]
        report = await server.post("/audit/verify", {"heads": heads})
    if screen.json:
        screen.data(report)
    elif report["intact"]:
        screen.show(f"{report['rows']} rows, intact.")
    else:
        screen.show(f"Broken at row {report['broken_at']}: {report['reason']}.")
    return 0 if report["intact"] else FAILED


def read_heads(file: Path) -> list[Head]:
    """Read published heads, one JSON object a line. Raises Invalid."""
    try:
        lines = file.read_text("utf-8").splitlines()
        return [Head.model_validate_json(line) for line in lines if line.strip()]
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        message = f"{file} has no published heads that can be read: {type(error).__name__}."
        raise Invalid(message) from None


async def export(server: Server, screen: Screen, output: Path, *, force: bool) -> None:
    """Write the whole trail to a file."""
    size = await keep(parts(server, "/audit/export", {}), output, force=force)
    if screen.json:
        screen.data({"file": str(output), "bytes": size})
    else:
        screen.say(f"{output}: {size} bytes.")
