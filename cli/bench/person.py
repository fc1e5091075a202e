"""The person who measures: signed in, with HTTP and with sockets that note when each event came."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import socketio

from cli.bench.product import EMAIL, PASSWORD, Product
from core.errors import Unavailable

LIMIT = 30.0
_numbers = itertools.count(1)


def client_id() -> str:
    """Give an id that was not used before in this run."""
    return f"bench-{next(_numbers)}"


@dataclass(frozen=True)
class Heard:
    """An event, and when it came on the clock of `perf_counter`."""

    name: str
    body: Mapping[str, Any]
    at: float


class Socket:
    """One Socket.IO connection."""

    def __init__(self) -> None:
        """Begin deaf."""
        self._client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        self._client.on("*", self._hear)
        self._heard: list[Heard] = []
        self._news = asyncio.Event()

    async def open(self, url: str, auth: Mapping[str, Any] | None) -> None:
        """Connect by websocket."""
        await self._client.connect(url, auth=auth, transports=["websocket"], wait_timeout=LIMIT)

    async def close(self) -> None:
        """Hang up."""
        await self._client.disconnect()

    def _hear(self, name: str, data: Any = None) -> None:
        body = data if isinstance(data, dict) else {}
        self._heard.append(Heard(name, body.get("event", body), time.perf_counter()))
        self._news.set()

    def forget(self) -> None:
        """Forget what was heard so far."""
        self._heard.clear()

    async def emit(self, name: str, body: Mapping[str, Any]) -> None:
        """Say something without waiting for an answer."""
        await self._client.emit(name, dict(body))

    async def call(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Say something and wait for the acknowledgement; raises Unavailable when it is a refusal."""
        answer = await self._client.call(name, dict(body), timeout=LIMIT)
        if not answer.get("ok"):
            raise Unavailable(f"{name} was refused: {answer}")
        return dict(answer["data"])

    async def until(self, name: str, where: Callable[[Mapping[str, Any]], bool] = lambda _: True) -> Heard:
        """Wait for an event; raises Unavailable when it does not come."""
        try:
            async with asyncio.timeout(LIMIT):
                while True:
                    for heard in self._heard:
                        if heard.name == name and where(heard.body):
                            return heard
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            names = [heard.name for heard in self._heard][-12:]
            raise Unavailable(f"{name} did not come within {LIMIT:.0f} s; heard {names}.") from None


class Person:
    """Signed in at the product, which may be another process each time."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        """Use this session for all requests."""
        self._http = http
        self.token = ""

    async def sign_in(self, email: str = EMAIL) -> None:
        """Get a token."""
        answer = await self.post("/auth/sign-in", {"email": email, "password": PASSWORD})
        self.token = answer["access_token"]

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send JSON; returns the answer's. Raises Unavailable."""
        async with self._http.post(f"/api/v1{path}", json=dict(body or {}), headers=self._headers) as response:
            return await _answer(response)

    async def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Put JSON there; returns the answer's. Raises Unavailable."""
        async with self._http.put(f"/api/v1{path}", json=dict(body), headers=self._headers) as response:
            return await _answer(response)

    async def rename(self, conversation_id: str, title: str) -> None:
        """Give a conversation another title. Raises Unavailable."""
        path = f"/api/v1/conversations/{conversation_id}"
        async with self._http.patch(path, json={"title": title}, headers=self._headers) as response:
            await _answer(response)

    async def get(self, path: str) -> dict[str, Any]:
        """Return the JSON at the path. Raises Unavailable."""
        async with self._http.get(f"/api/v1{path}", headers=self._headers) as response:
            return await _answer(response)

    async def say(self, conversation_id: str, text: str, *, wait: int = 0) -> dict[str, Any]:
        """Send a message by REST; with `wait` seconds, until its turn has ended."""
        query = f"?wait={wait}" if wait else ""
        body = {"text": text, "client_message_id": client_id()}
        return await self.post(f"/conversations/{conversation_id}/messages{query}", body)

    async def conversation(self) -> str:
        """Begin a conversation."""
        return str((await self.post("/conversations"))["id"])

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


async def _answer(response: aiohttp.ClientResponse) -> dict[str, Any]:
    if not response.ok:
        raise Unavailable(f"{response.method} {response.url.path} gave {response.status}: {await response.text()}")
    answer: dict[str, Any] = await response.json()
    return answer


@asynccontextmanager
async def signed_in(product: Product, token: str = "", email: str = EMAIL) -> AsyncIterator[Person]:
    """Sign in, or use a token of before."""
    connector = aiohttp.TCPConnector(limit=200)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(product.url, connector=connector, timeout=timeout) as http:
        person = Person(http)
        person.token = token
        if not token:
            await person.sign_in(email)
        yield person


@asynccontextmanager
async def socket_at(product: Product, person: Person, *conversation_ids: str) -> AsyncIterator[Socket]:
    """Open a socket that listens to these conversations."""
    async with AsyncExitStack() as stack:
        socket = Socket()
        await socket.open(product.url, {"token": person.token})
        stack.push_async_callback(socket.close)
        await socket.until("connected")
        for conversation_id in conversation_ids:
            await socket.call("conversation.join", {"conversation_id": conversation_id})
        socket.forget()
        yield socket
