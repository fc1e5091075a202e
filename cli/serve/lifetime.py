"""From the first signal to the end: stop taking work, drain, and be gone in time, whatever hangs."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from cli.exit import end

# The Temporal child needs up to 2 s after us, so that all are gone 10 s after the signal.
DRAIN_SECONDS = 5.0
_LAST_SECONDS = 7.5
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Lifetime:
    """`stop` is set by the first SIGINT or SIGTERM; the second ends the process at once.

    `begun` is set once everything serves: what may wait until then waits for it.
    """

    def __init__(self, body: "Callable[[Lifetime], Coroutine[Any, Any, None]]") -> None:
        """Start the body; it watches `stop` once it has set `serving`, and is cancelled by a signal before that."""
        self.stop = asyncio.Event()
        self.begun = asyncio.Event()
        self.serving = False
        self._body = asyncio.create_task(body(self))

    async def end(self) -> None:
        """Wait for the end of the body; raises what it raises."""
        try:
            await self._body
        except asyncio.CancelledError:
            if not self.stop.is_set():
                raise

    def signalled(self, number: int) -> None:
        """Hear a signal: the first asks, the second forces."""
        if self.stop.is_set():
            end(128 + number)
        self.stop.set()
        asyncio.get_running_loop().call_later(_LAST_SECONDS, end, 0)
        if not self.serving:
            self._body.cancel()


async def live(body: Callable[[Lifetime], Coroutine[Any, Any, None]]) -> None:
    """Run `body` to its end, which a signal brings about."""
    lifetime = Lifetime(body)
    _listen(lifetime)
    await lifetime.end()


def _listen(lifetime: Lifetime) -> None:
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        if sys.platform == "win32":
            signal.signal(number, lambda got, _: loop.call_soon_threadsafe(lifetime.signalled, got))
        else:
            loop.add_signal_handler(number, lifetime.signalled, number)
