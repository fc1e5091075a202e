"""A line to one conversation that mends itself: reconnects, resumes after the last seq, and repeats what had no answer.

Only what may be repeated is sent over it: every request carries an id, or changes nothing the second time.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import socketio
from pydantic import ValidationError

from cli.talk.ending import ServerError
from cli.talk.server import Backoff, Server
from core.errors import AssentError
from core.events import DURABLE, VOLATILE, DurableEvent, Envelope, VolatileEvent
from core.views import PartialView

_ACK_SECONDS = 15.0
_REFUSED = frozenset({"not_signed_in", "not_allowed"})
_LATER = frozenset({"unavailable", "too_many"})


@dataclass(frozen=True)
class Joined:
    """The conversation's room is entered; `fresh` when what came before is not replayed."""

    fresh: bool
    partial: PartialView | None


@dataclass(frozen=True)
class Lost:
    """The connection is gone; the line tries again by itself."""


@dataclass(frozen=True)
class Failed:
    """The line cannot be mended: nobody is signed in any more, or the conversation is gone."""

    error: AssentError


@dataclass(frozen=True)
class _Wire:
    """One connection, and whether it is gone."""

    socket: socketio.AsyncClient
    gone: asyncio.Event


Heard = DurableEvent | VolatileEvent | Joined | Lost | Failed


class Line:
    """Use with `async with`; what is heard goes to `hear`, in order and once."""

    def __init__(self, server: Server, conversation_id: str, hear: Callable[[Heard], None]) -> None:
        """Connect for the signed-in person of `server`."""
        self.offline_model = False
        self._server = server
        self._conversation_id = conversation_id
        self._hear = hear
        self._wire: _Wire | None = None
        self._ready = asyncio.Event()
        self._epoch: str | None = None
        self._seq = 0
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to connect; `call` waits until it is done."""
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper

    async def call(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send an event until the server has answered it; raises ServerError when it refuses."""
        while True:
            await self._ready.wait()
            wire = self._wire
            if wire is None:
                continue
            with suppress(socketio.exceptions.SocketIOError):
                return await _until_gone(wire, _ask(wire.socket, name, body))
            await wire.socket.disconnect()
            await wire.gone.wait()
            await asyncio.sleep(0)  # the keeper sees it too

    async def _keep(self) -> None:
        pauses = Backoff()
        while True:
            wire = _Wire(socketio.AsyncClient(reconnection=False, handle_sigint=False), asyncio.Event())
            wire.socket.on("disconnect", lambda *_, wire=wire: wire.gone.set())
            try:
                if await self._connect(wire):
                    pauses.reset()
                    await wire.gone.wait()
            except AssentError as error:
                self._hear(Failed(error))
                return
            finally:
                self._ready.clear()
                await wire.socket.disconnect()
            self._hear(Lost())
            await asyncio.sleep(pauses.next())

    async def _connect(self, wire: "_Wire") -> bool:
        """Sign in and enter the room; False when that should be tried again later."""
        socket = wire.socket
        refusals: list[Any] = []
        socket.on("*", self._arrived)
        socket.on("connect_error", refusals.append)
        auth = {"token": await self._server.token(), "door": "cli"}
        try:
            await socket.connect(
                self._server.credentials.url, auth=auth, transports=["websocket"], wait_timeout=_ACK_SECONDS
            )
            await self._join(socket)
        except socketio.exceptions.SocketIOError:
            if _was_refused(refusals):
                await self._server.token(renew=True)
            return False
        except ServerError as error:
            if error.named in _LATER:
                return False
            raise
        self._wire = wire
        if not wire.gone.is_set():
            self._ready.set()
        return True

    async def _join(self, socket: socketio.AsyncClient) -> None:
        body: dict[str, Any] = {"conversation_id": self._conversation_id}
        known = {} if self._epoch is None else {"epoch": self._epoch, "after_seq": self._seq}
        try:
            joined = await _ask(socket, "conversation.join", body | known)
        except ServerError as error:
            if error.named != "resync_required":
                raise
            known = {}
            joined = await _ask(socket, "conversation.join", body)
        if not known:
            heard = self._seq if joined["epoch"] == self._epoch else 0  # the room may speak before it answers
            self._epoch, self._seq = joined["epoch"], max(heard, joined["last_seq"])
        partial = joined.get("partial")
        self._hear(Joined(not known, PartialView.model_validate(partial) if partial else None))

    async def _arrived(self, name: str, data: Any = None) -> None:
        """Sort what the server sent; what this version does not know is passed over."""
        if name == "connected" and isinstance(data, dict):
            self.offline_model = bool(data.get("offline_model"))
            return
        with suppress(ValidationError):
            if isinstance(data, dict) and "seq" in data:
                self._durable(Envelope.model_validate(data))
            else:
                self._hear(VOLATILE.validate_python(data))

    def _durable(self, envelope: Envelope) -> None:
        if envelope.stream != self._conversation_id:
            return
        if self._epoch is None:
            self._epoch = envelope.epoch
        if envelope.epoch != self._epoch or envelope.seq <= self._seq:
            return
        self._seq = envelope.seq
        self._hear(DURABLE.validate_python(envelope.event))


async def _until_gone(wire: _Wire, asking: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """Return the answer; raises DisconnectedError as soon as the connection is gone, since none will come."""
    answering = asyncio.create_task(asking)
    leaving = asyncio.create_task(wire.gone.wait())
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            return answering.result()
        raise socketio.exceptions.DisconnectedError
    finally:
        answering.cancel()
        leaving.cancel()


async def _ask(socket: socketio.AsyncClient, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    answer = await socket.call(name, dict(body), timeout=_ACK_SECONDS)
    if not isinstance(answer, dict) or not answer.get("ok"):
        error = answer.get("error", {}) if isinstance(answer, dict) else {}
        raise ServerError(str(error.get("detail", "The server gave no answer.")), str(error.get("code", "error")), 400)
    return dict(answer.get("data") or {})


def _was_refused(refusals: list[Any]) -> bool:
    return any(isinstance(one, dict) and _code(one) in _REFUSED for one in refusals)


def _code(refusal: dict[str, Any]) -> str:
    data = refusal.get("data")
    return str(refusal.get("code") or (data.get("code") if isinstance(data, dict) else ""))
