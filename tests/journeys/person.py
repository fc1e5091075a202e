"""A person at the REST door, and a listener at the Socket.IO door, for journeys and faults."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, Self

import httpx
import socketio

EMAIL = "ana@example.com"
PASSWORD = "correct horse battery"
LIMIT = 60.0
TERMINAL = ("finished", "failed", "stopped")
_numbers = itertools.count(1)


class Person:
    """Signed in at one server; use with `async with`."""

    def __init__(self, url: str, token: str = "") -> None:
        self.http = httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=LIMIT, trust_env=False)
        self.url = url
        self._be(token)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    def _be(self, token: str) -> None:
        self.token = token
        if token:
            self.http.headers["authorization"] = f"Bearer {token}"

    def move(self, url: str) -> None:
        """Go to where the server is now."""
        self.url = url
        self.http.base_url = httpx.URL(f"{url}/api/v1/")

    async def set_up(self, code: str) -> None:
        body = {"code": code, "email": EMAIL, "name": "Ana", "password": PASSWORD, "workspace": "Shop"}
        self._be((await self.post("/setup", body))["access_token"])

    async def sign_in(self, email: str = EMAIL, password: str = PASSWORD) -> None:
        self._be((await self.post("/auth/sign-in", {"email": email, "password": password}))["access_token"])

    async def post(self, path: str, body: Any = None) -> Any:
        return _body(await self.http.post(path, json=body if body is not None else {}))

    async def get(self, path: str) -> Any:
        return _body(await self.http.get(path))

    async def conversation(self) -> str:
        return str((await self.post("/conversations"))["id"])

    async def say(self, conversation_id: str, text: str, *, client_id: str | None = None, wait: int = 0) -> Any:
        """Send a message; with `wait`, until its turn has ended or asks for consent."""
        body = {"text": text, "client_message_id": client_id or f"m-{next(_numbers)}"}
        query = f"?wait={wait}" if wait else ""
        return await self.post(f"/conversations/{conversation_id}/messages{query}", body)

    async def reply(self, conversation_id: str, text: str) -> str:
        """Say something and give the answer."""
        said = await self.say(conversation_id, text, wait=30)
        assert said["reply"], said
        return str(said["reply"]["text"])

    async def pending(self) -> list[dict[str, Any]]:
        return list((await self.get("/approvals?state=pending"))["items"])

    async def asked(self) -> dict[str, Any]:
        """Wait until one approval is pending; gives it."""
        found = await until(self.pending)
        assert len(found) == 1
        return found[0]

    async def decide(
        self, approval: dict[str, Any], verdict: str = "approve", decision_id: str = "d-1"
    ) -> httpx.Response:
        body = {"verdict": verdict, "digest": approval["digest"], "decision_id": decision_id}
        return await self.http.post(f"/approvals/{approval['id']}/decision", json=body)

    async def turn(self, turn_id: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.get(f"/turns/{turn_id}")
        return found

    async def ended(self, turn_id: str) -> dict[str, Any]:
        """Wait for a turn's end; gives the turn."""

        async def look() -> dict[str, Any] | None:
            found = await self.turn(turn_id)
            return found if found["state"] in TERMINAL else None

        return await until(look)

    async def messages(self, conversation_id: str) -> list[dict[str, Any]]:
        return list((await self.get(f"/conversations/{conversation_id}/messages"))["items"])


class Listener:
    """One socket in one conversation; keeps every event in the order in which it came."""

    def __init__(self, person: Person, conversation_id: str) -> None:
        self._person = person
        self._conversation_id = conversation_id
        self._client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        self._client.on("*", self._hear)
        self.envelopes: list[dict[str, Any]] = []
        self.deltas: list[dict[str, Any]] = []
        self.last_seq = 0
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._client.connect(self._person.url, auth={"token": self._person.token}, transports=["websocket"])
        answer = await self._client.call("conversation.join", {"conversation_id": self._conversation_id})
        assert answer["ok"], answer
        self.last_seq = int(answer["data"]["last_seq"])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.disconnect()

    async def _hear(self, name: str, data: Any = None) -> None:
        if name == "turn.delta":
            self.deltas.append(data)
        elif isinstance(data, dict) and data.get("stream") == self._conversation_id:
            self.envelopes.append(data)
        self._news.set()

    async def ask(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send an event; gives its acknowledgement."""
        answer: dict[str, Any] = await self._client.call(name, body)
        return answer

    async def resume(self, epoch: str, after_seq: int) -> None:
        """Have everything after `after_seq` sent again."""
        body = {"conversation_id": self._conversation_id, "epoch": epoch, "after_seq": after_seq}
        answer = await self._client.call("conversation.resume", body)
        assert answer["ok"], answer

    async def until(self, found: Callable[["Listener"], Any]) -> Any:
        """Wait until `found(self)` is true; gives it."""
        async with asyncio.timeout(LIMIT):
            while not (answer := found(self)):
                self._news.clear()
                await self._news.wait()
        return answer

    def types(self) -> list[str]:
        return [one["event"]["type"] for one in self.envelopes]


async def until(look: Callable[[], Any], limit: float = LIMIT) -> Any:
    """Ask again and again until the answer is true; gives it."""
    async with asyncio.timeout(limit):
        while not (answer := await look()):
            await asyncio.sleep(0.05)
    return answer


def _body(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None
