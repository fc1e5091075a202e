"""The doorbell and the volatile deltas between those who write and those who deliver: a port, and its in-process form.

A ring says only that a stream has something new; the listener reads it from SQL. A lost ring costs time, no event.
"""

from collections.abc import Callable
from typing import Protocol

from core.events import VolatileEvent


class Listener(Protocol):
    """Whoever delivers to sockets. Both calls return at once."""

    def rang(self, stream_id: str) -> None:
        """Hear that the stream has new durable events."""

    def said(self, stream_id: str, event: VolatileEvent) -> None:
        """Hear a volatile event for the stream's room."""


class Rooms(Protocol):
    """What writers use."""

    def ring(self, stream_id: str) -> None:
        """Tell listeners that the stream has new durable events; call it after the commit."""

    def say(self, stream_id: str, event: VolatileEvent) -> None:
        """Pass a volatile event on."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; call the answer to remove it."""


class LocalRooms:
    """Rooms within one process."""

    def __init__(self) -> None:
        """Begin without listeners."""
        self._listeners: list[Listener] = []

    def ring(self, stream_id: str) -> None:
        """Tell every listener at once."""
        for listener in self._listeners:
            listener.rang(stream_id)

    def say(self, stream_id: str, event: VolatileEvent) -> None:
        """Pass the event to every listener at once."""
        for listener in self._listeners:
            listener.said(stream_id, event)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; call the answer to remove it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)
