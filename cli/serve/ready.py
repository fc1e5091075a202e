"""Asks the server how it is, as anybody could: whether it takes messages in, and whether all of it works."""

import asyncio
import time
from collections.abc import Callable

import httpx

from core.errors import Unavailable

_PAUSE = 0.05
_LIMIT = 60.0


async def until_ready(base_url: str) -> None:
    """Return when the server takes messages in; raises Unavailable, with its last answer, after a minute."""
    until = time.monotonic() + _LIMIT
    answer = "no answer"
    while time.monotonic() < until:
        answer = await _ask(f"{base_url}/api/v1/ready")
        if answer == "":
            return
        await asyncio.sleep(_PAUSE)
    message = f"The server did not become ready: {answer}"
    raise Unavailable(message)


async def until_healthy(base_url: str, tell: Callable[[str], None]) -> None:
    """Return when every part works; tells after a minute that one does not, and goes on waiting."""
    await until_ready(base_url)
    until = time.monotonic() + _LIMIT
    while answer := await _ask(f"{base_url}/api/v1/health", "ok"):
        if time.monotonic() > until:
            tell(f"Not all of the server works yet, `assent health` tells what: {answer}")
            until = float("inf")
        await asyncio.sleep(_PAUSE)


async def _ask(url: str, status: str | None = None) -> str:
    """Return nothing when the answer is good, else what it was."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            response = await client.get(url)
    except httpx.TransportError as error:
        return str(error) or type(error).__name__
    if response.is_success and (status is None or response.json()["status"] == status):
        return ""
    return f"{response.status_code} {response.text[:500]}"
