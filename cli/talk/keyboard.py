"""What a person does at the keyboard, as items of the same queue that the server's events go to."""

import asyncio
import io
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True)
class Typed:
    """A line."""

    text: str


@dataclass(frozen=True)
class Closed:
    """There will be no more lines."""


@dataclass(frozen=True)
class Interrupted:
    """Ctrl-C."""


def read_lines(put: Callable[[Typed | Closed], None]) -> None:
    """Read stdin in a thread of its own, which the process need not wait for: a read cannot be taken back."""
    loop = asyncio.get_running_loop()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # bytes that are no text are refused as text, line by line

    def pump() -> None:
        with suppress(RuntimeError, ValueError, OSError):  # the loop or stdin was closed meanwhile
            for line in sys.stdin:
                loop.call_soon_threadsafe(put, Typed(line.strip()))
            loop.call_soon_threadsafe(put, Closed())

    threading.Thread(target=pump, name="keyboard", daemon=True).start()


def watch_interrupts(put: Callable[[Interrupted], None]) -> None:
    """Turn Ctrl-C into an item; where the loop cannot (Windows), it ends the command."""
    with suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, put, Interrupted())
