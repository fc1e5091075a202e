"""Proving who one is from the command line: by password, by the app's code, by a recovery code."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from cli.talk.ending import ServerError
from cli.talk.screen import Screen, one_line
from cli.talk.server import Server
from cli.talk.signing import read_password
from core.errors import Invalid

ResultT = TypeVar("ResultT")


async def prove(server: Server, screen: Screen, code: str | None, *, password_stdin: bool) -> None:
    """Renew the proof of this sign-in, by what the person has."""
    view = await renew(server, code, password_stdin=password_stdin)
    if screen.json:
        screen.data(view)
    else:
        screen.show(f"Proved by {one_line(view['proved_by'])}; it counts until {one_line(view['fresh_until'])}.")


async def renew(server: Server, code: str | None = None, *, password_stdin: bool = False) -> dict[str, Any]:
    """Ask for what proves it, and send it; gives the sign-in as it stands then. Raises Invalid, ServerError."""
    factors = (await server.get("/auth/session"))["factors"]
    body = {"method": "password"} if needs_password(factors, code) else {"method": "totp"}
    if body["method"] == "password":
        body["password"] = read_password(stdin=password_stdin)
    else:
        body["code"] = code or read_code()
    view: dict[str, Any] = await server.post("/auth/prove", body)
    return view


def needs_password(factors: dict[str, Any], code: str | None) -> bool:
    """Tell whether the password proves this person. Raises Invalid when only a passkey does."""
    if code is not None or factors["totp"]:
        return False
    if factors["passkeys"]:
        message = "Only your passkey proves who you are, and it needs a browser: open the page."
        raise Invalid(message)
    return True


def read_code() -> str:
    """Ask for a code of the app, or a recovery code. Raises Invalid when nobody is there."""
    if not sys.stdin.isatty():
        message = "There is nobody to ask for the code of your authenticator app: pass it with --code."
        raise Invalid(message)
    sys.stderr.write("Code of your authenticator app, or a recovery code: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


async def once_proved(server: Server, screen: Screen, work: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Do something; where the server wants a fresh proof and a person is there, ask for it and do it again."""
    try:
        return await work()
    except ServerError as error:
        if error.named != "step_up_required" or not screen.interactive:
            raise
    screen.say("This needs a fresh proof of who you are.")
    await renew(server)
    return await work()
