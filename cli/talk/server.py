"""The server as a command sees it: HTTP with fresh tokens, and problem documents as errors."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from pydantic import SecretStr

from cli.talk.credentials import DEFAULT_URL, Credentials, CredentialStore
from cli.talk.ending import ServerError
from core.errors import Invalid, NotSignedIn, Unavailable

HEADERS = {"X-Assent-Door": "cli"}
_EARLY = 30.0  # seconds before its end at which an access token is renewed
_TRIES = 4
_SAFE = frozenset({"GET", "HEAD"})


class Server:
    """One signed-in person's way to the server; `async with` closes it."""

    def __init__(self, store: CredentialStore, client: httpx.AsyncClient, credentials: Credentials) -> None:
        """Use an open client whose base URL is the server's."""
        self._store = store
        self._client = client
        self.credentials = credentials

    @property
    def client(self) -> httpx.AsyncClient:
        """The open client, for files."""
        return self._client

    async def get(self, path: str, **query: Any) -> Any:
        """Return the JSON that the path answers."""
        return await self.ask("GET", path, query={name: one for name, one in query.items() if one is not None})

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send JSON and return the answer's."""
        return await self.ask("POST", path, body=body or {})

    async def ask(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """Send one request under /api/v1; raises ServerError, NotSignedIn or Unavailable."""
        for last in (False, True):
            token = await self.token(renew=last)
            headers = HEADERS | {"Authorization": f"Bearer {token}"}
            response = await send(self._client, method, path, params=query, json=body, headers=headers)
            if response.status_code != httpx.codes.UNAUTHORIZED or last:
                break
        return answer(response)

    @asynccontextmanager
    async def streamed(
        self, path: str, query: Mapping[str, Any], patience: httpx.Timeout | None = None
    ) -> AsyncIterator[httpx.Response]:
        """Give an answer that is read as it comes; raises ServerError, NotSignedIn or Unavailable."""
        known = {name: one for name, one in query.items() if one is not None}
        headers = HEADERS | {"Authorization": f"Bearer {await self.token()}"}
        patience = patience or self._client.timeout
        try:
            async with self._client.stream("GET", path, params=known, headers=headers, timeout=patience) as response:
                if not response.is_success:
                    await response.aread()
                    answer(response)
                yield response
        except httpx.TransportError as error:
            message = f"The server cannot be reached, or broke off: {str(error) or type(error).__name__}"
            raise Unavailable(message) from None

    async def token(self, *, renew: bool = False) -> str:
        """Return an access token that is good for some seconds more; `renew` when the server refused the last."""
        if renew or self.credentials.expires_at - _EARLY < time.time():
            await self._renew()
        return self.credentials.access_token.get_secret_value()

    async def _renew(self) -> None:
        """Rotate the refresh token, unless another command has just done so."""
        async with self._store.locked():
            stored = self._store.read()
            if stored is None:
                message = "You are signed out: run `assent login`."
                raise NotSignedIn(message)
            if stored.refresh_token == self.credentials.refresh_token:
                body = {"refresh_token": stored.refresh_token.get_secret_value()}
                response = await send(self._client, "POST", "/auth/refresh", json=body, headers=HEADERS)
                stored = renewed(stored, _signed_in(response))
                self._store.write(stored)
            self.credentials = stored


@asynccontextmanager
async def open_server(
    store: CredentialStore | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Server]:
    """Open the server that the person signed in to; raises NotSignedIn."""
    store = store or CredentialStore()
    credentials = store.read()
    if credentials is None:
        message = "You are not signed in: run `assent login`."
        raise NotSignedIn(message)
    async with open_client(credentials.url, transport) as client:
        yield Server(store, client, credentials)


def named_by_environment() -> tuple[str, str] | None:
    """Give the server's address and a program's token from ASSENT_URL and ASSENT_TOKEN, if set. Raises Invalid."""
    secret = os.environ.get("ASSENT_TOKEN")
    if not secret:
        return None
    if not secret.isascii() or not secret.isprintable():
        message = "ASSENT_TOKEN is no token."
        raise Invalid(message)
    return os.environ.get("ASSENT_URL") or DEFAULT_URL, secret


def open_client(url: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Return a client for the server's address; it follows no redirects, which would carry the token elsewhere."""
    return httpx.AsyncClient(base_url=f"{url.rstrip('/')}/api/v1", transport=transport, timeout=30, trust_env=False)


async def send(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response:
    """Send a request; what only reads is tried again after a pause when the server is away. Raises Unavailable."""
    pauses = Backoff()
    for left in reversed(range(_TRIES if method in _SAFE else 1)):
        try:
            return await client.request(method, path, **more)
        except (httpx.InvalidURL, UnicodeEncodeError):
            message = "Something in this is no text that can be sent."
            raise Invalid(message) from None
        except httpx.TransportError as error:
            if not left:
                address = str(client.base_url).removesuffix("/api/v1/")
                message = f"The server at {address} cannot be reached: {str(error) or type(error).__name__}"
                raise Unavailable(message) from None
            await asyncio.sleep(pauses.next())
    message = "unreachable"
    raise AssertionError(message)


def answer(response: httpx.Response) -> Any:
    """Return a response's JSON; raises ServerError with the problem's code and sentence."""
    if response.is_success:
        return response.json() if response.content else None
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    detail = str(problem.get("detail") or f"The server answered {response.status_code} {response.reason_phrase}.")
    code = str(problem.get("code") or f"http_{response.status_code}")
    known = {"detail", "code", "status", "title", "type", "instance"}
    raise ServerError(detail, code, response.status_code, **{k: v for k, v in problem.items() if k not in known})


def _signed_in(response: httpx.Response) -> dict[str, Any]:
    if response.status_code == httpx.codes.UNAUTHORIZED:
        message = "Your sign-in has ended: run `assent login`."
        raise NotSignedIn(message)
    return dict(answer(response))


def renewed(before: Credentials, fresh: Mapping[str, Any]) -> Credentials:
    """Return the credentials with new tokens."""
    return before.model_copy(
        update={
            "access_token": SecretStr(str(fresh["access_token"])),
            "refresh_token": SecretStr(str(fresh["refresh_token"])),
            "expires_at": time.time() + float(fresh["expires_in"]),
        }
    )


class Backoff:
    """Pauses that double from `first` to `most` seconds, spread by half: clients must not return all at once."""

    def __init__(self, first: float = 0.25, most: float = 10.0) -> None:
        """Begin at `first` seconds."""
        self._first, self._most, self._times = first, most, 0

    def next(self) -> float:
        """Return the next pause in seconds."""
        pause = min(self._most, self._first * 2.0**self._times)
        self._times += 1
        return pause * random.uniform(0.5, 1.5)  # noqa: S311  spreading load is no secret

    def reset(self) -> None:
        """Begin anew after a success."""
        self._times = 0
