"""Looking at an endpoint: one cheap request that the key must open."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2

from workers.llm.errors import (
    ModelError,
    ModelRateLimited,
    ModelRefusedKey,
    ModelRequestRejected,
    ModelTimedOut,
    ModelUnavailable,
)
from workers.llm.sight import Seen

LOOK_SECONDS = 5.0
_REFUSED = frozenset({401, 402, 403})
_ELSEWHERE = "The model's server leads to another address, where the key is not sent. Check the model's address."
_MOVED, _NOT_FOUND, _BUSY, _REJECTED, _SERVER_ERROR = 300, 404, 429, 400, 500


def listing(http: httpx2.AsyncClient, url: str, model: str) -> Callable[[], Awaitable[Seen | None]]:
    """Make a look that lists the models at `url`, a page that the key opens; None when there is no such page."""

    async def look() -> Seen | None:
        try:
            # The client's own limit is for each read: a server that drips would be listened to for hours.
            async with asyncio.timeout(LOOK_SECONDS):
                answer = await http.get(url, timeout=LOOK_SECONDS)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise ModelTimedOut from error
        except httpx2.HTTPError as error:
            raise ModelUnavailable from error
        if answer.status_code == _NOT_FOUND:
            return None
        fault = _fault(answer)
        if fault is not None:
            raise fault
        return _seen(answer, model)

    return look


def _fault(answer: httpx2.Response) -> ModelError | None:
    status = answer.status_code
    if status in _REFUSED or (status == _REJECTED and "API_KEY" in answer.text):
        # Google says 400 to a wrong key, and names the reason API_KEY_INVALID.
        return ModelRefusedKey()
    if status == _BUSY:
        return ModelRateLimited()
    if status >= _SERVER_ERROR:
        return ModelUnavailable()
    if status >= _REJECTED:
        return ModelRequestRejected()
    if status >= _MOVED:
        return ModelRequestRejected(_ELSEWHERE)
    return None


def _seen(answer: httpx2.Response, model: str) -> Seen | None:
    """Count the models, if these are models; None when it is no API at all that answers here."""
    try:
        body: Any = answer.json()
    except (ValueError, RecursionError):
        return None
    rows = body.get("data", body.get("models")) if isinstance(body, dict) else body
    if not isinstance(rows, list) or not rows:
        return Seen()
    names = {str(row.get("id") or row.get("name")).removeprefix("models/") for row in rows if isinstance(row, dict)}
    return Seen(models=len(rows), listed=model in names)
