"""Signing in by a provider from the command line: the browser does it, and brings a ticket back to this machine."""

import asyncio
import webbrowser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from cli.talk.screen import Screen
from cli.talk.server import HEADERS, answer, send
from core.errors import NotSignedIn

_PATIENCE = 300.0  # seconds, as long as the trip lives
_MOST = 8192  # bytes of a request line
_PAGE = "You can close this window and go back to the terminal."


async def sign_in(screen: Screen, client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    """Send the person to a provider and wait for them; gives the tokens. Raises NotSignedIn, ServerError."""
    came: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
    waiting = await asyncio.start_server(_doorman(came), "127.0.0.1", 0)
    async with waiting:
        port = waiting.sockets[0].getsockname()[1]
        body = {"purpose": "sign-in", "loopback_port": port}
        begun = answer(await send(client, "POST", f"/auth/oidc/{name}/begin", json=body, headers=HEADERS))
        screen.say(f"Sign in with your browser, on this machine:\n  {begun['url']}")
        await asyncio.to_thread(webbrowser.open, begun["url"])
        said = await _wait(came)
    ticket = {"ticket": said["ticket"]}
    signed: dict[str, Any] = answer(await send(client, "POST", "/auth/oidc/sign-in", json=ticket, headers=HEADERS))
    return signed


async def _wait(came: asyncio.Future[dict[str, str]]) -> dict[str, str]:
    try:
        said = await asyncio.wait_for(came, _PATIENCE)
    except TimeoutError:
        message = "Nobody came back from the provider in time."
        raise NotSignedIn(message) from None
    if "ticket" not in said:
        message = f"The provider signed nobody in ({said.get('error', 'unknown')})."
        raise NotSignedIn(message)
    return said


def _doorman(came: asyncio.Future[dict[str, str]]) -> Any:
    """Answer the browser that comes back, and hand on what it brings; anything else is sent away."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = (await reader.readuntil(b"\r\n"))[:_MOST].decode("ascii", "replace")
            method, _, rest = line.partition(" ")
            query = parse_qs(urlsplit(rest.split(" ")[0]).query)
            said = {key: values[0] for key, values in query.items() if key in {"ticket", "error"}}
            is_it = method == "GET" and bool(said)
            status, text = ("200 OK", _PAGE) if is_it else ("404 Not Found", "Nothing is here.")
            head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nReferrer-Policy: no-referrer\r\n"
            writer.write(f"{head}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode())
            await writer.drain()
            if is_it and not came.done():
                came.set_result(said)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # it hung up, or sent what no browser sends
        finally:
            writer.close()

    return serve
