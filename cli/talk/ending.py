"""How a command of a client ends: one clear line on stderr, and an exit code that a script can read."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, ClassVar

import typer

from cli.talk.screen import Screen
from core.errors import AssentError, Conflict, Invalid, NotAllowed, NotSignedIn, TooMany, Unavailable

FAILED, USAGE, NOT_SIGNED_IN, REFUSED, UNREACHABLE, INTERRUPTED = 1, 2, 3, 4, 5, 130
CODES = (
    "Exit codes: 0 fine, 1 an error, 2 wrong usage, 3 not signed in, 4 refused, 5 the server cannot be reached, "
    "130 interrupted."
)


class WrongUsage(Invalid):
    """The command needs other options; `detail` names them."""

    code, title = "wrong_usage", "Wrong usage"


_KINDS: tuple[tuple[type[AssentError], int], ...] = (
    (WrongUsage, USAGE),
    (NotSignedIn, NOT_SIGNED_IN),
    (NotAllowed, REFUSED),
    (Conflict, REFUSED),
    (TooMany, REFUSED),
    (Unavailable, UNREACHABLE),
    (Invalid, FAILED),
)


class ServerError(AssentError):
    """The server's own error, kept with its code, status and sentence."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str, code: str, status: int, **more: Any) -> None:
        """Keep what the problem document said."""
        super().__init__(detail, **more)
        self.named = code
        self.answered = status


def name_of(error: AssentError) -> str:
    """Return the code that programs read."""
    return error.named if isinstance(error, ServerError) else error.code


def exit_code(error: AssentError) -> int:
    """Return the exit code of an error: of the server's by its status, of ours by its kind."""
    if isinstance(error, ServerError):
        by_status = {401: NOT_SIGNED_IN, 403: REFUSED, 409: REFUSED, 429: REFUSED, 502: UNREACHABLE, 503: UNREACHABLE}
        return by_status.get(error.answered, FAILED)
    return next((code for kind, code in _KINDS if isinstance(error, kind)), FAILED)


def run(work: Coroutine[Any, Any, int | None], screen: Screen) -> None:
    """Run a command's work; its answer (None = 0) or its error is the exit code."""
    try:
        code = asyncio.run(work) or 0
    except AssentError as error:
        explain(error, screen)
        code = exit_code(error)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code:
        raise typer.Exit(code)


def explain(error: AssentError, screen: Screen) -> None:
    """Say what went wrong, on stderr: a sentence with its code, or a JSON object."""
    if screen.json:
        screen.say(json.dumps({"error": {"code": name_of(error), "detail": error.detail, **error.more}}, default=str))
    else:
        screen.say(f"assent: {error.detail} ({name_of(error)})")
