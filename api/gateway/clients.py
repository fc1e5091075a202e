"""The signed-in sockets: whose they are, and what is sent to them."""

import asyncio
import time
from typing import Any

from engineio import packet as engine_packet

from api.gateway.errors import problem
from api.gateway.packets import frame
from api.gateway.safe_engine import SafeSocket
from core.errors import AssentError, TooMany
from core.permissions import Door, Principal

DRAIN_SECONDS = 15.0
CHECKED_SECONDS = 5.0


class Client:
    """One signed-in socket."""

    def __init__(self, sid: str, line: SafeSocket, principal: Principal, door: Door) -> None:
        """`door` is what the client says it is: a label, no authority."""
        self.sid = sid
        self.principal = principal
        self.door = door
        self._checked_at = time.monotonic()
        self.joining = asyncio.Lock()
        self.streams: set[str] = set()
        self._line = line

    @property
    def is_gone(self) -> bool:
        """Whether nothing can reach it any more."""
        return bool(self._line.closed or self._line.closing)

    @property
    def is_unchecked(self) -> bool:
        """Whether its sign-in was looked at too long ago."""
        return time.monotonic() - self._checked_at > CHECKED_SECONDS

    @property
    def backlog(self) -> int:
        """Packets that wait for it."""
        return int(self._line.queue.qsize())

    def push(self, packet: engine_packet.Packet) -> bool:
        """Queue a framed event; False when it is gone or too slow."""
        return self._line.push(packet)

    def tell(self, name: str, payload: dict[str, Any]) -> bool:
        """Frame and queue one event."""
        return self.push(frame(name, payload))

    def complain(self, error: AssentError, **more: Any) -> bool:
        """Tell what is wrong outside of an acknowledgement, as the event `error`."""
        return self.tell("error", problem(error) | more)

    async def drained(self) -> None:
        """Wait until what was queued is on its way; a client that takes DRAIN_SECONDS is cut."""
        try:
            await asyncio.wait_for(self._line.queue.join(), DRAIN_SECONDS)
        except TimeoutError:
            await self._line.cut()

    async def close(self) -> None:
        """End the connection when what waits is sent."""
        await self._line.shut()

    def became(self, principal: Principal) -> None:
        """Take who it is now: a role may have changed."""
        self.principal = principal
        self._checked_at = time.monotonic()


class Clients:
    """All signed-in sockets of this process."""

    def __init__(self, per_user: int) -> None:
        """Allow `per_user` sockets to each person."""
        self._per_user = per_user
        self._by_sid: dict[str, Client] = {}
        self._by_user: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._by_sid)

    def add(self, client: Client) -> None:
        """Keep one; raises TooMany when the person has enough."""
        sids = self._by_user.setdefault(client.principal.user_id, set())
        if len(sids) >= self._per_user:
            message = f"You have {self._per_user} connections open already; close one."
            raise TooMany(message, retry_after=30.0)
        sids.add(client.sid)
        self._by_sid[client.sid] = client

    def get(self, sid: str) -> Client | None:
        """Find one."""
        return self._by_sid.get(sid)

    def remove(self, sid: str) -> Client | None:
        """Forget one."""
        client = self._by_sid.pop(sid, None)
        if client is not None:
            sids = self._by_user[client.principal.user_id]
            sids.discard(sid)
            if not sids:
                del self._by_user[client.principal.user_id]
        return client

    def all(self) -> list[Client]:
        """List them."""
        return list(self._by_sid.values())

    @property
    def users(self) -> int:
        """How many people they are."""
        return len(self._by_user)
