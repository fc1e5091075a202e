"""Hears what is said of turns while they run: text as it comes, and that something new is in SQL."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from core.events import TurnDelta, VolatileEvent
from core.rooms import Rooms
from core.views import PartialView


class Hearing:
    """The text of one turn, as far as it was heard. Make it where the event loop runs."""

    def __init__(self, turn_id: str) -> None:
        """Begin with nothing heard."""
        self._turn_id = turn_id
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._attempt = 0
        self.text = ""
        self.rang = False
        self.missed = False

    def ring(self) -> None:
        """Hear, from any thread, that something new is in SQL."""
        self._loop.call_soon_threadsafe(self._ring)

    def say(self, delta: TurnDelta) -> None:
        """Hear text, from any thread."""
        if delta.turn_id == self._turn_id:
            self._loop.call_soon_threadsafe(self._take, delta)

    def _ring(self) -> None:
        self.rang = True
        self._news.set()

    def _take(self, delta: TurnDelta) -> None:
        if delta.attempt < self._attempt:
            return
        if delta.offset > len(self.text):
            self.missed = True
            return
        self._attempt = delta.attempt
        self.text = self.text[: delta.offset] + delta.text
        self._news.set()

    def meet(self, partial: PartialView | None) -> None:
        """Learn from SQL what was not heard."""
        if partial is None or partial.attempt < self._attempt:
            return
        if partial.attempt > self._attempt or len(partial.text) > len(self.text):
            self._attempt, self.text, self.missed = partial.attempt, partial.text, False

    async def listen(self, seconds: float) -> None:
        """Wait until there is news, at most so long; forget that there was."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            self.rang = True
        self._news.clear()


class Ears:
    """Listens to the rooms for all requests that wait here."""

    def __init__(self, rooms: Rooms) -> None:
        """Begin to listen; the rooms live as long as this."""
        self._hearings: dict[str, set[Hearing]] = {}
        rooms.listen(self)

    @contextmanager
    def hearing(self, conversation_id: str, turn_id: str) -> Iterator[Hearing]:
        """Listen to one turn."""
        one = Hearing(turn_id)
        self._hearings.setdefault(conversation_id, set()).add(one)
        try:
            yield one
        finally:
            left = self._hearings[conversation_id]
            left.discard(one)
            if not left:
                del self._hearings[conversation_id]

    def rang(self, stream_id: str) -> None:
        """Hear that a stream has new events."""
        for one in tuple(self._hearings.get(stream_id, ())):
            one.ring()

    def said(self, stream_id: str, event: VolatileEvent) -> None:
        """Hear a volatile event."""
        if isinstance(event, TurnDelta):
            for one in tuple(self._hearings.get(stream_id, ())):
                one.say(event)
