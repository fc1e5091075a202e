"""Socket.IO with bounds: nothing a client sends reaches the library's own handlers, and all it may do has an end.

Closes what python-socketio leaves open: forged `connect` and `disconnect`, attachments, no deadline to sign in, a task
for each event without bound, a connect handler that forgets to answer, a traceback for each bad packet.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import socketio
from engineio import packet as engine_packet
from socketio import packet

from api.gateway.allowance import Allowance
from api.gateway.errors import ProtocolError, refusal
from api.gateway.manager import LeanManager
from api.gateway.packets import StrictPacket
from api.gateway.quiet import QuietLog
from api.gateway.safe_engine import MAX_PENDING, SafeEngine, SafeSocket
from core.errors import TooMany
from core.settings import Settings

RESERVED = frozenset({"connect", "connect_error", "disconnect", "disconnecting"})
PROBLEMS = 3
PING_SECONDS = 25
PONG_SECONDS = 20


class Doors(Protocol):
    """Whoever stands behind the server."""

    async def connect(self, sid: str, address: str, auth: object) -> bool:
        """Let a socket in: True, or False, or ConnectionRefusedError."""

    async def welcome(self, sid: str) -> None:
        """Greet a socket that was let in."""

    async def disconnect(self, sid: str) -> None:
        """Forget a socket."""

    async def command(self, sid: str, name: str, arguments: list[Any]) -> dict[str, Any]:
        """Carry out an event, and give the acknowledgement."""


@dataclass
class Conduct:
    """How one connection behaves."""

    allowance: Allowance
    deadline: asyncio.TimerHandle
    problems: int = 0
    has_tried: bool = False
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class SafeServer(socketio.AsyncServer):
    """Only namespace `/`, both transports, no binary, no rooms, no acknowledgements from clients."""

    def __init__(self, doors: Doors, settings: Settings, allows: Callable[..., bool], log: QuietLog) -> None:
        """Serve these doors; `allows(origin, environ)` decides on pages of other origins."""
        super().__init__(
            client_manager=LeanManager(),
            serializer=StrictPacket,
            logger=log,
            log=log,
            namespaces=["/"],
            async_mode="asgi",
            cors_allowed_origins=allows,
            cors_credentials=False,
            http_compression=False,
            transports=["websocket", "polling"],
            ping_interval=PING_SECONDS,
            ping_timeout=PONG_SECONDS,
            max_http_buffer_size=settings.frame_bytes,
            queue_limit=settings.socket_queue,
            patience=settings.socket_auth_seconds,
        )
        self._doors = doors
        self._settings = settings
        self._log = log
        self._conduct: dict[str, Conduct] = {}
        self._pending = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.eio.offended = self.offended
        self.eio.is_full = lambda: self._pending >= MAX_PENDING

    def _engineio_server_class(self) -> type[SafeEngine]:
        return SafeEngine

    def line(self, sid: str) -> SafeSocket | None:
        """Find the connection of a socket."""
        found: SafeSocket | None = self.eio.sockets.get(self.manager.eio_sid_from_sid(sid, "/"))
        return found

    async def settle(self, seconds: float) -> None:
        """Wait for events that are worked on, `seconds` at most."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)

    async def offended(self, eio_sid: str, error: ProtocolError) -> None:
        """Count a protocol error; the third, or a forged event, ends the connection."""
        self._log.problem(error.kind)
        conduct = self._conduct.get(eio_sid)
        if conduct is None:
            return
        conduct.problems += 1
        if error.forged or conduct.problems >= PROBLEMS:
            await self._shut(eio_sid)

    async def _shut(self, eio_sid: str) -> None:
        await self.eio.disconnect(eio_sid)

    # ------------------------------------------------------------------------------------------------- the connection

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        client = environ["asgi.scope"].get("client") or ("", 0)
        slim = {"REMOTE_ADDR": client[0], "HTTP_USER_AGENT": environ.get("HTTP_USER_AGENT", "")}
        await super()._handle_eio_connect(eio_sid, slim)
        deadline = asyncio.get_running_loop().call_later(self._settings.socket_auth_seconds, self._expire, eio_sid)
        bounds = self._settings
        allowance = Allowance(bounds.socket_rate, bounds.socket_burst, bounds.socket_in_flight)
        self._conduct[eio_sid] = Conduct(allowance, deadline)
        self._pending += 1

    def _expire(self, eio_sid: str) -> None:
        self._log.problem("not signed in in time")
        self._spawn(self._shut(eio_sid))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _arrived(self, conduct: Conduct) -> None:
        if not conduct.deadline.cancelled():
            conduct.deadline.cancel()
            self._pending -= 1

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        conduct = self._conduct.pop(eio_sid, None)
        if conduct is not None:
            self._arrived(conduct)
        await super()._handle_eio_disconnect(eio_sid, reason)

    # ---------------------------------------------------------------------------------------------------- the packets

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        try:
            await self._take(eio_sid, self.packet_class(encoded_packet=data))
        except ProtocolError as error:
            await self.offended(eio_sid, error)

    async def _take(self, eio_sid: str, taken: StrictPacket) -> None:
        if taken.namespace not in {None, "/"}:
            raise ProtocolError("other namespace")
        if taken.packet_type == packet.CONNECT:
            await self._handle_connect(eio_sid, "/", taken.data)
        elif taken.packet_type == packet.DISCONNECT:
            await self._handle_disconnect(eio_sid, "/", self.reason.CLIENT_DISCONNECT)
            await self._shut(eio_sid)
        elif taken.packet_type == packet.EVENT:
            await self._handle_event(eio_sid, "/", taken.id, taken.data)
        else:
            raise ProtocolError("unexpected packet")

    async def _handle_connect(self, eio_sid: str, namespace: str, data: Any) -> None:
        conduct = self._conduct.get(eio_sid)
        if conduct is None:
            return
        if conduct.has_tried:
            raise ProtocolError("second sign-in")
        conduct.has_tried = True
        await super()._handle_connect(eio_sid, namespace, data)
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if sid is None:
            return  # refused: it has the rest of its deadline to read why
        if eio_sid not in self._conduct:  # it went away while it was let in
            await self._handle_disconnect(eio_sid, namespace, self.reason.CLIENT_DISCONNECT)
            return
        self._arrived(conduct)
        await self._doors.welcome(sid)

    async def _handle_event(self, eio_sid: str, namespace: str, id: int | None, data: Any) -> None:  # noqa: A002
        if not isinstance(data, list) or not data or not isinstance(data[0], str):
            raise ProtocolError("malformed event")
        if data[0] in RESERVED:
            raise ProtocolError("forged event", forged=True)
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        conduct = self._conduct.get(eio_sid)
        if conduct is None or sid is None or not self.manager.is_connected(sid, namespace):
            raise ProtocolError("event before sign-in")
        if wait := conduct.allowance.take():
            self._log.problem("flood")
            await self._acknowledge(eio_sid, id, refusal(TooMany("Too many events; wait a moment.", retry_after=wait)))
            if conduct.allowance.is_spent:
                await self._shut(eio_sid)
            return
        self._spawn(self._work(eio_sid, conduct, sid, id, data))

    async def _work(self, eio_sid: str, conduct: Conduct, sid: str, number: int | None, data: list[Any]) -> None:
        try:
            answer = await self._doors.command(sid, data[0], data[1:])
        finally:
            conduct.allowance.give_back()
        await self._acknowledge(eio_sid, number, answer)

    async def _acknowledge(self, eio_sid: str, number: int | None, answer: dict[str, Any]) -> None:
        if number is not None:
            await self._send_packet(eio_sid, self.packet_class(packet.ACK, id=number, data=[answer]))

    # ----------------------------------------------------------------------------------------- ways out of the library

    async def _send_packet(self, eio_sid: str, pkt: StrictPacket) -> None:
        await self._send_eio_packet(eio_sid, engine_packet.Packet(engine_packet.MESSAGE, data=pkt.encode()))

    async def _send_eio_packet(self, eio_sid: str, eio_pkt: engine_packet.Packet) -> None:
        line: SafeSocket | None = self.eio.sockets.get(eio_sid)
        if line is not None:
            line.push(eio_pkt)

    async def _trigger_event(self, event: str, namespace: str, *args: Any) -> Any:  # noqa: ARG002
        """Only `connect` and `disconnect` come here, and only from the library."""
        if event == "disconnect":
            return await self._doors.disconnect(args[0])
        sid, environ, auth = args
        return await self._doors.connect(sid, environ["REMOTE_ADDR"], auth) is True
