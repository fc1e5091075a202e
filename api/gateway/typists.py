"""Who is typing where: told at most every few seconds, taken back when it is not renewed."""

import asyncio
import time
from dataclasses import dataclass

from api.gateway.clients import Client
from core.events import Typing
from core.rooms import Rooms

THROTTLE_SECONDS = 3.0
LIFE_SECONDS = 8.0


@dataclass
class _Typist:
    sid: str
    told_at: float
    end: asyncio.TimerHandle
    stop: Typing


class Typists:
    """Those who type now, by conversation and person."""

    def __init__(self, rooms: Rooms) -> None:
        """Tell these rooms."""
        self._rooms = rooms
        self._typists: dict[tuple[str, str], _Typist] = {}

    def start(self, client: Client, conversation_id: str) -> None:
        """Hear that somebody types; the others hear it at most every THROTTLE_SECONDS."""
        key = (conversation_id, client.principal.user_id)
        known = self._typists.get(key)
        if known is not None:
            known.end.cancel()
        is_due = known is None or time.monotonic() - known.told_at >= THROTTLE_SECONDS
        event = Typing(
            conversation_id=conversation_id, user_id=client.principal.user_id, name=client.principal.name, typing=True
        )
        self._typists[key] = _Typist(
            sid=client.sid,
            told_at=time.monotonic() if known is None or is_due else known.told_at,
            end=asyncio.get_running_loop().call_later(LIFE_SECONDS, self._stop, key),
            stop=event.model_copy(update={"typing": False}),
        )
        if is_due:
            self._rooms.say(conversation_id, event)

    def stop(self, client: Client, conversation_id: str) -> None:
        """Hear that somebody ceased to type."""
        self._stop((conversation_id, client.principal.user_id))

    def leave(self, client: Client) -> None:
        """Take back what a socket that is gone had begun."""
        for key in [key for key, typist in self._typists.items() if typist.sid == client.sid]:
            self._stop(key)

    def _stop(self, key: tuple[str, str]) -> None:
        typist = self._typists.pop(key, None)
        if typist is not None:
            typist.end.cancel()
            self._rooms.say(key[0], typist.stop)

    def clear(self) -> None:
        """Forget all, and tell nobody: for the end."""
        for typist in self._typists.values():
            typist.end.cancel()
        self._typists.clear()
