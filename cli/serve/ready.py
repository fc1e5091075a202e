"""Asks the server whether it is ready, as anybody could: GET /api/v1/ready."""

import asyncio
import time

import httpx

from core.errors import Unavailable

_PAUSE = 0.05
_LIMIT = 60.0


async def until_ready(base_url: str) -> None:
    """Return when the server says that it is ready; raises Unavailable, with its last answer, after a minute."""
    until = time.monotonic() + _LIMIT
    answer = "no answer"
    async with httpx.AsyncClient(base_url=base_url, trust_env=False, timeout=5) as client:
        while time.monotonic() < until:
            try:
                response = await client.get("/api/v1/ready")
            except httpx.TransportError as error:
                answer = str(error)
            else:
                if response.status_code == httpx.codes.OK:
                    return
                answer = f"{response.status_code} {response.text[:500]}"
            await asyncio.sleep(_PAUSE)
    message = f"The server did not become ready: {answer}"
    raise Unavailable(message)
