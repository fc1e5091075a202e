"""The Bot API over HTTP: one call, its answer or the failure that it stands for."""

from typing import Any

import httpx

from connectors.base import PermanentFailure, TemporaryFailure
from connectors.channel import Unreachable

SECONDS = 20.0
_TOKEN_REFUSED = 300.0
"""How long to wait after the token was refused: a person has to put that right."""


class NotChanged(PermanentFailure):
    """The message says already what it was to say."""

    code, title = "not_changed", "Not changed"


class BotApi:
    """Calls methods. The token is part of each address, so nothing here ever says an address."""

    def __init__(self, client: httpx.AsyncClient, base: str, token: str) -> None:
        """Take the client, the address of the server, the bot's token."""
        self._client = client
        self._address = f"{base.rstrip('/')}/bot{token}"

    async def call(self, method: str, arguments: dict[str, Any], seconds: float = SECONDS) -> Any:
        """Call a method and give its result. Raises TemporaryFailure, Unreachable, PermanentFailure, NotChanged."""
        try:
            response = await self._client.post(f"{self._address}/{method}", json=arguments, timeout=seconds)
        except httpx.HTTPError as error:
            message = f"Telegram does not answer ({type(error).__name__})."
            raise TemporaryFailure(message) from None
        answer = _read(response)
        if answer.get("ok") is True:
            return answer.get("result")
        raise _failure(response.status_code, answer)


def _read(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        message = f"Telegram answered {response.status_code} with something that cannot be read."
        raise TemporaryFailure(message)
    return answer


def _failure(status: int, answer: dict[str, Any]) -> Exception:
    """Make the failure that an answer stands for (https://core.telegram.org/bots/api#making-requests).

    Telegram has one code, 400, for many things and tells them apart by `description` alone.
    """
    code = answer.get("error_code", status)
    said = str(answer.get("description", ""))[:200]
    parameters = answer.get("parameters")
    retry_after = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if code == httpx.codes.TOO_MANY_REQUESTS:
        return TemporaryFailure("Telegram asks to slow down.", retry_after=float(retry_after or 1))
    if code == httpx.codes.FORBIDDEN or "chat not found" in said.lower():
        return Unreachable(f"Telegram cannot reach them: {said}")
    if "message is not modified" in said.lower():
        return NotChanged("It says that already.")
    if code in {httpx.codes.UNAUTHORIZED, httpx.codes.NOT_FOUND}:
        return TemporaryFailure("Telegram refuses the bot's token.", retry_after=_TOKEN_REFUSED)
    if code == httpx.codes.CONFLICT or code >= httpx.codes.INTERNAL_SERVER_ERROR:
        return TemporaryFailure(f"Telegram is not ready: {said}")
    return PermanentFailure(f"Telegram refused it: {said}")
