"""Engine.IO with bounds: checked frames, a bounded queue for each reader, connections that can be cut.

Closes what python-engineio leaves open: a queue without end for a slow reader, a close that waits for that queue, bad
frames that end in a traceback, an upgrade that is never finished, tokens in the address.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import engineio
from engineio import async_socket, exceptions, packet
from engineio.async_drivers.asgi import WebSocket

from api.gateway.errors import ProtocolError
from api.gateway.packets import check_frame
from api.gateway.quiet import QuietLog

QUEUED_BYTES = 16_777_216
GOODBYE_SECONDS = 5.0
MAX_PENDING = 2_000
_FORBIDDEN_QUERY = frozenset({"j", "token", "access_token", "auth", "authorization", "jwt"})
_BATCH = 16  # frames in one request or answer; the Python client takes no more


class SizedQueue(asyncio.Queue[Any]):
    """A queue that knows how many characters wait in it."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._waiting: deque[Any] = self._queue  # type: ignore[attr-defined]  # made by `_init`, unknown to typeshed
        self.size = 0

    def peek(self) -> Any:
        """Look at what comes next, when there is something."""
        return self._waiting[0]

    def _put(self, item: Any) -> None:
        super()._put(item)
        self.size += _weight(item)

    def _get(self) -> Any:
        item = super()._get()
        self.size -= _weight(item)
        return item


def _weight(item: Any) -> int:
    return len(item.data) if item is not None and isinstance(item.data, str) else 0


class CheckedWebSocket(WebSocket):
    """Hands on only well-formed frames, and can end a connection whose peer does not read."""

    def __init__(self, socket: "SafeSocket") -> None:
        """Serve this socket."""
        super().__init__(socket._websocket_handler, socket.server)
        self._socket = socket

    async def wait(self) -> str:
        """Wait for the next well-formed frame; OSError at the end, or when an upgrade is not finished in time."""
        while not self._socket.closed:
            limit = None if self._socket.upgraded else self._socket.server.patience
            frame = await asyncio.wait_for(super().wait(), limit)
            try:
                return check_frame(frame, self._socket.server.max_http_buffer_size)
            except ProtocolError as error:
                await self._socket.server.offended(self._socket.sid, error)
        raise OSError

    def abort(self) -> None:
        """Drop the TCP connection with all that waits in it, where the server lets us reach it (uvicorn does)."""
        transport = getattr(getattr(self.asgi_send, "__self__", None), "transport", None)
        if transport is not None:
            transport.abort()


class SafeSocket(async_socket.AsyncSocket):
    """One Engine.IO connection."""

    web_socket: CheckedWebSocket | None = None

    async def send(self, pkt: packet.Packet) -> None:
        """Queue a packet; a reader with too much waiting is cut, and resumes later."""
        if await self.check_ping_timeout():
            self.push(pkt)

    def push(self, pkt: packet.Packet) -> bool:
        """Queue a packet at once; False when the reader is gone or was too slow."""
        if self.closed:
            return False
        if self.queue.qsize() >= self.server.queue_limit or self.queue.size > QUEUED_BYTES:
            self.server.too_slow(self)
            return False
        self.queue.put_nowait(pkt)
        return True

    async def poll(self) -> list[packet.Packet]:
        """Wait for packets to send, and take a few; none is the end. Raises QueueEmpty after a long silence."""
        try:
            first = await asyncio.wait_for(self.queue.get(), self.server.ping_interval + self.server.ping_timeout)
        except (TimeoutError, asyncio.CancelledError):
            raise exceptions.QueueEmpty from None
        self.queue.task_done()
        packets = [] if first is None else [first]
        while packets and len(packets) < _BATCH and not self.queue.empty():
            if self.queue.peek() is None:
                break
            packets.append(self.queue.get_nowait())
            self.queue.task_done()
        return packets

    async def shut(self) -> None:
        """Say goodbye: what waits is still sent, for GOODBYE_SECONDS at most."""
        await self.close(wait=False)
        self._finish()
        if self.web_socket is not None:
            asyncio.get_running_loop().call_later(GOODBYE_SECONDS, self.web_socket.abort)

    async def cut(self) -> None:
        """End it now and throw away what waits."""
        while not self.queue.empty():
            self.queue.get_nowait()
            self.queue.task_done()
        await self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_ERROR)
        self._finish()
        if self.web_socket is not None:
            self.web_socket.abort()

    def _finish(self) -> None:
        self.queue.put_nowait(None)  # the writer, or a waiting poll, ends at this
        self.server.sockets.pop(self.sid, None)

    async def receive(self, pkt: packet.Packet) -> None:
        """Take a packet; a wrong one is counted, not raised."""
        try:
            await super().receive(pkt)
        except exceptions.UnknownPacketError:
            await self.server.offended(self.sid, ProtocolError("bad frame"))

    async def handle_post_request(self, environ: dict[str, Any]) -> None:
        """Take the frames of a long-polling request."""
        length = int(environ.get("CONTENT_LENGTH", "0"))
        if length > self.server.max_http_buffer_size:
            raise exceptions.ContentTooLongError
        body = (await environ["wsgi.input"].read(length)).decode("utf-8", "replace")
        frames = body.split("\x1e")
        for frame in frames[:_BATCH]:
            await self._take(frame)
        if len(frames) > _BATCH:
            await self.server.offended(self.sid, ProtocolError("too many frames"))

    async def _take(self, frame: str) -> None:
        if self.closed:
            return
        try:
            await self.receive(packet.Packet(encoded_packet=check_frame(frame, self.server.max_http_buffer_size)))
        except ProtocolError as error:
            await self.server.offended(self.sid, error)

    async def _upgrade_websocket(self, environ: dict[str, Any]) -> Any:
        if self.upgraded or self.upgrading:
            raise exceptions.SocketIsClosedError
        self.web_socket = CheckedWebSocket(self)
        return await self.web_socket(environ)

    async def _websocket_handler(self, ws: WebSocket) -> None:
        try:
            await super()._websocket_handler(ws)
        except (OSError, ValueError, TimeoutError):
            await self.server.offended(self.sid, ProtocolError("upgrade not finished"))
        finally:
            if not self.upgraded:
                self.upgrading = False  # else its polls would spin
            await ws.close()


class SafeEngine(engineio.AsyncServer):
    """The Engine.IO server: makes SafeSockets, refuses secrets in the address, answers every request."""

    def __init__(self, *, queue_limit: int, patience: float, log: QuietLog, **options: Any) -> None:
        """`queue_limit` packets may wait for a reader; an upgrade has `patience` seconds."""
        super().__init__(logger=log, **options)
        self.start_service_task: bool = True
        self.queue_limit = queue_limit
        self.patience = patience
        self.log = log
        self.offended: Callable[..., Any] = self._ignore
        self.is_full: Callable[[], bool] = lambda: False
        self.cut_count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def _ignore(self, _sid: str, _error: ProtocolError) -> None:
        """Until the Socket.IO server listens."""

    def create_queue(self, *_: Any, **__: Any) -> SizedQueue:
        """Make the queue of one reader."""
        return SizedQueue()

    def too_slow(self, socket: SafeSocket) -> None:
        """Cut a reader that does not keep up; it may resume."""
        if socket.closing or socket.closed:
            return
        self.cut_count += 1
        self.log.problem("slow reader")
        task = asyncio.get_running_loop().create_task(socket.cut())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def disconnect(self, sid: str | None = None) -> None:
        """Say goodbye to one, or to all; never waits for what a client does not read."""
        if sid is None:
            for socket in list(self.sockets.values()):
                await socket.shut()
        elif sid in self.sockets:
            await self.sockets[sid].shut()

    async def handle_request(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request; whatever goes wrong ends in an answer, not in a traceback."""
        started = False

        async def sending(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        sending.__self__ = getattr(send, "__self__", None)  # type: ignore[attr-defined]  # for CheckedWebSocket.abort
        try:
            self._check_query(scope)
            await super().handle_request(scope, receive, sending)
        except Exception:  # the library lets KeyError, OSError and more out; none is ours
            self.log.exception()
            if not started:
                await _refuse(scope, send)

    @staticmethod
    def _check_query(scope: Any) -> None:
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if any(name.lower() in _FORBIDDEN_QUERY for name, _ in query):
            raise ProtocolError("secret in the address")

    async def _handle_connect(self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None) -> Any:
        if self.start_service_task:
            self.start_service_task = False
            self.service_task_handle = self.start_background_task(self._service_task)
        if self.is_full():
            return self._unauthorized("Too many connections are waiting to sign in.")
        socket = SafeSocket(self, self.generate_id())
        self.sockets[socket.sid] = socket
        await socket.send(packet.Packet(packet.OPEN, self._opening(socket.sid, transport)))
        await self._trigger_event("connect", socket.sid, environ, run_async=False)
        socket.schedule_ping()
        if transport == "polling":
            socket.connected = True
            return self._ok(await socket.poll(), jsonp_index=jsonp_index)
        try:
            return await socket.handle_get_request(environ)
        finally:
            self.sockets.pop(socket.sid, None)

    def _opening(self, sid: str, transport: str) -> dict[str, Any]:
        return {
            "sid": sid,
            "upgrades": self._upgrades(sid, transport),
            "pingTimeout": int(self.ping_timeout * 1000),
            "pingInterval": int(self.ping_interval * 1000),
            "maxPayload": self.max_http_buffer_size,
        }


async def _refuse(scope: Any, send: Any) -> None:
    """Answer 400, or refuse the handshake."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": b"Bad Request"})
