"""`assent policy` and `assent operation`: the workspace's rules, and how much it leaves to its assistant."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.talk.choices import Json, Limit, with_server
from core.values import OperationMode

_VERSION = re.compile(r"\d{1,9}", re.ASCII)
File = Annotated[
    Path, typer.Argument(metavar="FILE", help="YAML; `-` reads stdin.", exists=True, allow_dash=True, dir_okay=False)
]
Note = Annotated[str | None, typer.Option("--note", help="Why; kept with the version.")]
Expected = Annotated[
    int | None, typer.Option("--expected", min=0, help="The version it was written after.", show_default="the newest")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what is wrong and what would change.")]
Version = Annotated[int | None, typer.Option("--version", min=1, help="An older version.", show_default="the newest")]
Old = Annotated[str | None, typer.Argument(metavar="OLD", help="A version; 0: no rules.", show_default="the newest")]
New = Annotated[str | None, typer.Argument(metavar="NEW", help="A version, or a file.", show_default="the newest")]
Action = Annotated[str, typer.Argument(metavar="ACTION", help="As `tasks.delete`.")]
Arguments = Annotated[str, typer.Argument(metavar="ARGUMENTS", help="As JSON.")]
User = Annotated[str | None, typer.Option("--user", help="Who would ask: an id or e-mail address.", show_default="you")]
Channel = Annotated[str, typer.Option("--channel", help="The door that it would come through.")]
Conversation = Annotated[str, typer.Option("--conversation", metavar="ID", help="In which conversation.")]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="When, with its offset.", show_default="now")]
Draft = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", exists=True, dir_okay=False, help="Try these rules instead.")
]
Risk = Annotated[str | None, typer.Option("--risk", help="Of an action that no connector here has.")]
Mode = Annotated[OperationMode | None, typer.Argument(metavar="MODE", help="The mode to run in.")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    for command in (show, edit, save, check, diff, versions):
        app.command()(command)
    app.command("test")(try_)
    return app


def show(version: Version = None, *, as_json: Json = False) -> None:
    """Show the rules, as they were written."""
    from cli.talk.policy import show_policy

    with_server(lambda server, screen: show_policy(server, screen, version), as_json)


def edit(note: Note = None) -> None:
    """Change the rules in your editor; they are checked, shown and saved when you say so."""
    from cli.talk.policy import edit_policy

    with_server(lambda server, screen: edit_policy(server, screen, note), as_json=False)


def save(
    file: File, note: Note = None, expected: Expected = None, *, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Check a file and make it the rules. They hold at once, for what waits for consent too."""
    from cli.talk.policy import save_policy

    text = _text(file)
    with_server(lambda server, screen: save_policy(server, screen, text, note, expected, dry_run=dry_run), as_json)


def check(file: File, *, as_json: Json = False) -> None:
    """Say what is wrong with a file; exit code 1 when it could not be saved."""
    from cli.talk.policy import check_policy

    text = _text(file)
    with_server(lambda server, screen: check_policy(server, screen, text), as_json)


def try_(
    action: Action,
    arguments: Arguments = "{}",
    user: User = None,
    channel: Channel = "cli",
    conversation: Conversation = "",
    at: At = None,
    file: Draft = None,
    risk: Risk = None,
    *,
    as_json: Json = False,
) -> None:
    """Say what the rules would make of a call: the verdict, the rule that gives it, whom it asks. Nothing is done."""
    from cli.talk.policy import try_policy

    body = {
        "action": action,
        "arguments": _json(arguments),
        "user": user,
        "channel": channel,
        "conversation": conversation,
        "at": at,
        "risk": risk,
        "yaml": _text(file) if file else None,
    }
    with_server(lambda server, screen: try_policy(server, screen, body), as_json)


def diff(old: Old = None, new: New = None, *, as_json: Json = False) -> None:
    """Say in words what is different between two versions, or between one and a file."""
    from cli.talk.policy import compare_policies

    if old is not None and new is None and not _VERSION.fullmatch(old):
        old, new = None, old
    body: dict[str, Any] = {"from": _version(old)}
    if new is not None and not _VERSION.fullmatch(new):
        body["yaml"] = _text(Path(new))
    else:
        body["to"] = _version(new)
    with_server(lambda server, screen: compare_policies(server, screen, body), as_json)


def versions(limit: Limit = 50, *, as_json: Json = False) -> None:
    """List the versions, newest first."""
    from cli.talk.policy import list_versions

    with_server(lambda server, screen: list_versions(server, screen, limit), as_json)


def operation(mode: Mode = None, *, as_json: Json = False) -> None:
    """Show how much the workspace leaves to its assistant, or say it: manual, assisted, autonomous or emergency.

    Owners and admins may; approvers may say emergency, after which nothing that has not begun is done.
    """
    from cli.talk.policy import operate

    with_server(lambda server, screen: operate(server, screen, mode), as_json)


def _text(file: Path) -> str:
    """Read a file, or stdin; raises BadParameter."""
    try:
        if str(file) == "-":
            return typer.get_text_stream("stdin").read()
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{file} cannot be read as text: {error}"
        raise typer.BadParameter(message) from None


def _json(text: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        message = 'ARGUMENTS are a JSON object, as \'{"id": "tsk_1"}\'.'
        raise typer.BadParameter(message)
    return found


def _version(text: str | None) -> int | None:
    if text is None:
        return None
    if not _VERSION.fullmatch(text):
        message = "OLD is a version's number."
        raise typer.BadParameter(message)
    return int(text)
