"""The gateway: lets people in over Socket.IO, passes on what they send, and sends what is new."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from pydantic import ValidationError
from socketio.exceptions import ConnectionRefusedError as Refused
from sqlalchemy.exc import SQLAlchemyError

from api.gateway.clients import Client, Clients
from api.gateway.commands import Handshake
from api.gateway.errors import problem, refusal
from api.gateway.feeds import Feeds
from api.gateway.handlers import Desk, answer
from api.gateway.origins import origin_check
from api.gateway.quiet import QuietLog
from api.gateway.safe_server import SafeServer
from api.gateway.typists import Typists
from api.intake import Intake
from api.limits import Limits
from api.tokens import Tokens
from core.errors import AssentError, Invalid, NotSignedIn, Unavailable
from core.model_entries import is_offline
from core.permissions import Door, Principal
from core.rooms import Rooms
from core.settings import Settings
from core.store import audience
from core.store.database import Database

POLL_SECONDS = 2.0
SETTLE_SECONDS = 5.0

_log = structlog.get_logger()


class Gateway:
    """The doors behind `server`, which is for `socketio.ASGIApp`. Make it where the event loop runs."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        rooms: Rooms,
        intake: Intake,
        tokens: Tokens,
        limits: Limits,
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """Take what it reads from, what it passes things on to, and how it knows people."""
        self._poll_seconds = poll_seconds
        self._settings = settings
        self._database = database
        self._tokens = tokens
        self._rooms = rooms
        self._log = QuietLog(_log)
        self._clients = Clients(settings.sockets_per_user)
        self._feeds = Feeds(database)
        self._typists = Typists(rooms)
        self._desk = Desk(database, intake, limits, self._feeds, self._typists, rooms)
        self._is_closing = False
        self._polling: asyncio.Task[None] | None = None
        self._deaf: Callable[[], None] = lambda: None
        self.server = SafeServer(self, settings, origin_check(settings), self._log)

    async def start(self) -> None:
        """Begin to listen to the rooms, and to look after what no ring tells."""
        self._deaf = self._rooms.listen(self._feeds)
        self._polling = asyncio.get_running_loop().create_task(self._poll())

    async def aclose(self) -> None:
        """Take no more events, finish those begun, and say goodbye: clients come back to the next server."""
        if self._is_closing:
            return
        self._is_closing = True
        await self.server.settle(SETTLE_SECONDS)
        self._deaf()
        if self._polling is not None:
            self._polling.cancel()
        self._typists.clear()
        await self.server.eio.disconnect()
        await self.server.shutdown()
        await self.server.settle(SETTLE_SECONDS)

    def stats(self) -> dict[str, int]:
        """Count what health shows."""
        return {
            "connections": len(self._clients),
            "users": self._clients.users,
            "streams": len(self._feeds),
            "slow_readers_cut": self.server.eio.cut_count,
            "protocol_errors": sum(self._log.counts.values()),
        }

    # ---------------------------------------------------------------------------------------- what the server asks for

    async def connect(self, sid: str, address: str, auth: object) -> bool:
        """Let a socket in whose token is good; else say why not."""
        try:
            handshake = _read(auth)
            self._check_open()
            who = await self._tokens.authenticate(self._database, handshake.token)
            line = self.server.line(sid)
            if line is None:
                return False
            self._clients.add(Client(sid, line, who, _door(who, handshake)))
        except AssentError as error:
            raise Refused(error.detail, problem(error)) from None
        except Exception:  # noqa: BLE001  # not let in, whatever is wrong with us
            _log.exception("sign-in on a socket failed")
            failure = Unavailable("Sign-in is not possible now.")
            raise Refused(failure.detail, problem(failure)) from None
        _log.debug("socket signed in", address=address, user_id=who.user_id)
        return True

    async def welcome(self, sid: str) -> None:
        """Join a new socket to its inbox, and greet it."""
        client = self._clients.get(sid)
        if client is None:
            return
        who = client.principal
        try:
            log = await self._feeds.join(client, who.membership_id)
        except (AssentError, SQLAlchemyError) as error:
            _log.warning("a socket could not be greeted", error=type(error).__name__)
            client.complain(error if isinstance(error, AssentError) else Unavailable("The database does not answer."))
            await client.close()
            return
        client.tell("connected", self._greeting(who, log.model_dump()))

    def _greeting(self, who: Principal, log: dict[str, Any]) -> dict[str, Any]:
        return {
            "user": {"id": who.user_id, "name": who.name, "role": who.role},
            "workspace_id": who.workspace_id,
            "inbox": {"stream": who.membership_id} | log,
            "offline_model": is_offline(self._settings),
        }

    async def disconnect(self, sid: str) -> None:
        """Forget a socket."""
        client = self._clients.remove(sid)
        if client is not None:
            self._feeds.leave_all(client)
            self._typists.leave(client)

    async def command(self, sid: str, name: str, arguments: list[Any]) -> dict[str, Any]:
        """Carry out an event for the person who is behind the socket now."""
        client = self._clients.get(sid)
        if client is None or client.is_gone:
            return refusal(NotSignedIn("This connection is closed."))
        try:
            self._check_open()
            if client.is_unchecked and client in await self._check([client]):
                return refusal(NotSignedIn("You were signed out."))
        except AssentError as error:
            return refusal(error)
        except SQLAlchemyError:
            return refusal(Unavailable("The database does not answer; try again."))
        return await answer(self._desk, client, name, arguments)

    def _check_open(self) -> None:
        if self._is_closing:
            message = "The server is stopping; come again."
            raise Unavailable(message)

    # -------------------------------------------------------------------------------------------- what nobody asks for

    async def _poll(self) -> None:
        """Every so often: send what no ring told, and part with those who were signed out."""
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self._feeds.poll()
                await self._check(self._clients.all())
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                _log.warning("the gateway waits for the database", error=type(error).__name__)
            except Exception:  # noqa: BLE001  # the next round may do better; without it no one would be signed out
                _log.exception("a round of the gateway failed")

    async def _check(self, clients: list[Client]) -> list[Client]:
        """Learn who these people are now; disconnect, and return, those whose sign-in ended."""
        async with self._database.reading() as session:
            people = await audience.standing(session, {client.principal.session_id for client in clients})
        ended = []
        for client in clients:
            who = people.get(client.principal.session_id)
            if who is not None:
                client.became(who)
            else:
                ended.append(client)
        for client in ended:
            client.complain(NotSignedIn("You were signed out."))
            self._feeds.leave_all(client)
            await client.close()
        return ended


def _door(who: Principal, handshake: Handshake) -> Door:
    """Give the door: a person's client says which it is, a program is never one of those."""
    return Door.SOCKET if who.is_program else Door(handshake.door or Door.SOCKET)


def _read(auth: object) -> Handshake:
    try:
        return Handshake.model_validate(auth)
    except ValidationError:
        message = "The `auth` payload must be {token, door?}; door is `cli` or `web`."
        raise Invalid(message) from None
