"""`assent ask`: consent for shell scripts and CI; the exit code is the verdict."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.talk.choices import Json

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
ENDS = (
    "Exit codes: 0 approved, and nothing else; 1 rejected; 2 wrong usage, not signed in, or an error; 3 expired; 4 "
    "nobody has decided yet; 5 the server cannot be reached; 6 withdrawn, void, or used before; 130 interrupted."
)


def _seconds(given: str | None) -> float | None:
    """Read `90`, `90s`, `15m`, `2h` or `1d`; raises BadParameter."""
    if given is None:
        return None
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", given.strip(), re.ASCII)
    if found is None or not int(found[1]):
        message = "This is no time: write 90s, 15m, 2h or 1d."
        raise typer.BadParameter(message)
    return float(int(found[1]) * _UNITS[found[2] or "s"])


def _arguments(pairs: list[str], file: Path | None) -> dict[str, Any]:
    """Put the arguments together: those of the file, then each `NAME=TEXT` or `NAME:=JSON`; raises BadParameter."""
    try:
        known = json.loads(_read(file) if file else "{}")
        for pair in pairs:
            name, value = _pair(pair)
            known[name] = value
    except (OSError, ValueError, TypeError) as error:
        message = f"The arguments cannot be read: {error}"
        raise typer.BadParameter(message) from None
    if not isinstance(known, dict):
        message = "The arguments must be a JSON object."
        raise typer.BadParameter(message)
    return known


def _read(file: Path) -> str:
    return typer.get_text_stream("stdin").read() if str(file) == "-" else file.read_text("utf-8")


def _pair(pair: str) -> tuple[str, Any]:
    name, sign, value = pair.partition("=")
    if not sign or not name.rstrip(":"):
        message = f"{pair!r} is not NAME=TEXT or NAME:=JSON"
        raise ValueError(message)
    return (name[:-1], json.loads(value)) if name.endswith(":") else (name, value)


def ask(
    title: Annotated[str, typer.Argument(metavar="QUESTION", help="What people are asked, as `Deploy 4.2?`.")],
    action: Annotated[str, typer.Option(help="What it is, with a namespace.")] = "script.run",
    arg: Annotated[
        list[str] | None, typer.Option("--arg", metavar="NAME=TEXT", help="An argument; NAME:=JSON for other values.")
    ] = None,
    args_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A JSON file with the arguments; - is stdin.")
    ] = None,
    risk: Annotated[
        str, typer.Option(help="read, write, external_comms, money, destructive or admin; what is not known is admin.")
    ] = "write",
    reason: Annotated[str | None, typer.Option(help="Why; shown to who decides.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="TIME", help="How long people have: 15m, 2h, 1d.")] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="With --wait: give up waiting after; the request stays.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key is the same request: run it again to wait on.")
    ] = None,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it is decided, through restarts of the server.")
    ] = False,
    consume: Annotated[
        bool, typer.Option("--consume/--no-consume", help="Use up the consent: approved is said only once.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Ask people for consent: `assent ask "Deploy 4.2?" --wait && ./deploy`. Only `approved` is exit code 0.

    Uses ASSENT_TOKEN (a token with the scope `ask`) and ASSENT_URL from the environment, else who signed in.
    """
    body: dict[str, Any] = {
        "title": title,
        "action": action,
        "arguments": _arguments(arg or [], args_file),
        "risk": risk,
    }
    body |= {"reason": reason, "expires_in": _seconds(expires), "client_key": key}
    patience = _seconds(timeout)
    from cli.talk.ask import Asker, run_ask

    run_ask(Asker(body={name: one for name, one in body.items() if one is not None}, consume=consume), wait=wait,
            patience=patience, as_json=as_json)  # fmt: skip
