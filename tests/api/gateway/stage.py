"""A started gateway on a free port, with SQLite, the real intake, and people to talk through it."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import socketio
import uvicorn
import websockets
from sqlmodel import SQLModel

from api.gateway.gateway import Gateway
from api.gateway.serving import uvicorn_options
from api.intake import Intake
from api.limits import Limits, rates_of
from api.tokens import Tokens
from connectors.registry import Registry
from connectors.tasks.connector import TasksConnector
from core.clock import now
from core.events import ConversationUpdated
from core.ids import new_id
from core.keys import load_ring
from core.permissions import Principal, Role
from core.rooms import LocalRooms
from core.settings import Settings
from core.store import streams
from core.store.audit import AuditTrail
from core.store.database import Database, open_database
from core.store.viewing import conversation_view
from core.store.work import change
from core.tables import connect, consent, people, records, talk, tasks, work  # noqa: F401  # create_all needs them all
from core.tables.people import Membership, Session, User, Workspace
from core.tables.talk import Conversation, Participant

WAIT = 15.0


class RecordingWorkflows:
    """Stands in for Temporal: keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    async def start_turn(self, *facts: Any) -> None:
        self.told.append(("start", *facts))

    async def stop_turn(self, *facts: Any) -> list[str]:
        self.told.append(("stop", *facts))
        return []

    async def decide(self, *facts: Any) -> str:
        self.told.append(("decide", *facts))
        return "accepted"


class Raw:
    """A client that says exactly what the test tells it to."""

    def __init__(self, wire: websockets.ClientConnection) -> None:
        self.wire = wire

    async def send(self, frame: str | bytes) -> None:
        await self.wire.send(frame)

    async def next(self) -> str:
        return str(await asyncio.wait_for(self.wire.recv(), WAIT))

    async def until(self, start: str) -> str:
        """Read on until a frame that starts so."""
        while not (frame := await self.next()).startswith(start):
            pass
        return frame

    async def closed(self) -> list[str]:
        """Read what is left, until the server ends the connection."""
        frames: list[str] = []
        try:
            while True:
                frames.append(await self.next())
        except websockets.ConnectionClosed:
            return frames

    async def sign_in(self, token: str) -> None:
        await self.until("0")
        await self.send("40" + json.dumps({"token": token}))
        await self.until("40")
        await self.until('42["connected"')


class Listener:
    """A Socket.IO client that keeps all events, in order."""

    def __init__(self, client: socketio.AsyncClient) -> None:
        self.client = client
        self.events: list[tuple[str, Any]] = []
        self._news = asyncio.Event()

    def heard(self, name: str, payload: Any) -> None:
        self.events.append((name, payload))
        self._news.set()

    async def call(self, name: str, payload: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self.client.call(name, payload, timeout=WAIT)
        return answer

    async def leave(self) -> None:
        """Disconnect; not while the library is in a request, after which it would forget to say so."""
        await self.client.eio.queue.join()
        await self.client.disconnect()

    async def until(self, enough: Callable[["Listener"], bool]) -> None:
        async with asyncio.timeout(WAIT):
            while not enough(self):
                self._news.clear()
                await self._news.wait()

    def named(self, name: str) -> list[Any]:
        return [payload for heard, payload in self.events if heard == name]

    def numbers(self, stream_id: str) -> list[int]:
        """The seq of each durable event of the stream, as they came."""
        return [payload["seq"] for _, payload in self.events if payload.get("stream") == stream_id and "seq" in payload]


async def _read_answers(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Read what the client library leaves unread, and then warns of."""
    answer = await handler(request)
    if "Upgrade" not in request.headers:
        await answer.read()
    return answer


async def eventually(is_true: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(WAIT):
        while True:
            answer = is_true()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.01)


class Stage:
    """The gateway and everything around it."""

    def __init__(self, settings: Settings, database: Database, keep: AsyncExitStack) -> None:
        self.settings = settings
        self.database = database
        self.rooms = LocalRooms()
        self.workflows = RecordingWorkflows()
        ring = load_ring(settings.data_dir)
        trail = AuditTrail(ring)
        self.tokens = Tokens(ring, settings)
        registry = Registry.load([TasksConnector(database)])
        self.intake = Intake(database, self.rooms, self.workflows, trail, settings, registry)  # type: ignore[arg-type]
        limits = Limits(rates_of(settings))
        self.gateway = Gateway(settings, database, self.rooms, self.intake, self.tokens, limits, poll_seconds=0.2)
        self.url = ""
        self._keep = keep
        self._counter = itertools.count(1)

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    # people and conversations

    async def workspace(self) -> str:
        row = Workspace(id=new_id("wsp"), name="Work", created_at=now())
        async with self.database.writing() as session:
            session.add(row)
        return row.id

    async def person(self, workspace_id: str, role: Role = Role.MEMBER) -> Principal:
        name = f"Person {next(self._counter)}"
        user = User(id=new_id("usr"), email=f"{name}@x.test".replace(" ", ""), name=name, created_at=now())
        member = Membership(
            id=new_id("mem"),
            workspace_id=workspace_id,
            user_id=user.id,
            role=role,
            epoch=new_id("epo"),
            created_at=now(),
        )
        async with self.database.writing() as session:
            session.add(user)
            await session.flush()
            session.add(member)
        return await self.sign_in(user.id, workspace_id)

    async def sign_in(self, user_id: str, workspace_id: str) -> Principal:
        row = Session(id=new_id("ses"), user_id=user_id, workspace_id=workspace_id, created_at=now())
        async with self.database.writing() as session:
            session.add(row)
        return await self.tokens.authenticate(self.database, self.tokens.access(user_id, row.id, workspace_id))

    def token(self, who: Principal) -> str:
        return self.tokens.access(who.user_id, who.session_id, who.workspace_id)

    async def conversation(self, owner: Principal, *others: Principal) -> str:
        at = now()
        row = Conversation(
            id=new_id("cnv"),
            workspace_id=owner.workspace_id,
            owner_id=owner.user_id,
            title="A talk",
            origin_channel="rest",
            epoch=new_id("epo"),
            created_at=at,
            updated_at=at,
            last_activity_at=at,
        )
        async with self.database.writing() as session:
            session.add(row)
            await session.flush()
            for one in (owner, *others):
                session.add(Participant(conversation_id=row.id, user_id=one.user_id, joined_at=at))
        return row.id

    async def append(self, conversation_id: str, count: int = 1, *, title: str = "New", ring: bool = True) -> None:
        """Write events to a conversation, one commit for all."""
        async with change(self.database, self.rooms) as doing:
            row = await doing.session.get_one(Conversation, conversation_id)
            view = conversation_view(row).model_copy(update={"title": title})
            await streams.append(doing, conversation_id, *[ConversationUpdated(conversation=view)] * count)
            if not ring:
                doing.streams.clear()

    # clients

    async def raw(self, who: Principal | None = None, **options: Any) -> Raw:
        address = self.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
        wire = await self._keep.enter_async_context(websockets.connect(address, close_timeout=0.1, **options))
        raw = Raw(wire)
        if who is not None:
            await raw.sign_in(self.token(who))
        return raw

    async def listener(self, who: Principal, transports: tuple[str, ...] = ("websocket",), **auth: Any) -> Listener:
        http = await self._keep.enter_async_context(aiohttp.ClientSession(middlewares=(_read_answers,)))
        client = socketio.AsyncClient(reconnection=False, http_session=http)
        listener = Listener(client)
        client.on("*", listener.heard)
        await client.connect(self.url, auth={"token": self.token(who)} | auth, transports=list(transports))
        self._keep.push_async_callback(client.disconnect)
        await listener.until(lambda one: bool(one.named("connected")))
        return listener


@asynccontextmanager
async def open_stage(directory: Path, **given: Any) -> AsyncIterator[Stage]:
    """Start a gateway in this process, on a free port."""
    settings = Settings(data_dir=directory, **{"messages_per_minute": 1000} | given)
    async with AsyncExitStack() as keep:
        database = await keep.enter_async_context(open_database(settings.database_url))
        async with database.writing() as session:
            await (await session.connection()).run_sync(SQLModel.metadata.create_all)
        stage = Stage(settings, database, keep)
        keep.push_async_callback(stage.intake.aclose)
        async with _served(stage):
            yield stage
            await stage.gateway.aclose()
            await keep.aclose()


@asynccontextmanager
async def _served(stage: Stage) -> AsyncIterator[None]:
    listening = socket.create_server(("127.0.0.1", 0))
    stage.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    app = socketio.ASGIApp(stage.gateway.server)
    server = uvicorn.Server(
        uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, **uvicorn_options(stage.settings))
    )
    await stage.gateway.start()
    serving = asyncio.create_task(server._serve(sockets=[listening]))
    await eventually(lambda: server.started)
    try:
        yield
    finally:
        await stage.gateway.aclose()
        server.should_exit = True
        await serving
