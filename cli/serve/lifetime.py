"""From the first signal to the end: stop taking work, drain, and be gone in time, whatever hangs."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable

from cli.exit import end

# The Temporal child needs up to 2 s after us, so that all are gone 10 s after the signal.
DRAIN_SECONDS = 5.0
_LAST_SECONDS = 7.5
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Lifetime:
    """`stop` is set by the first SIGINT or SIGTERM; the second ends the process at once."""

    def __init__(self, body: "asyncio.Task[None]") -> None:
        """Watch over the task that does everything."""
        self.stop = asyncio.Event()
        self.serving = False
        self._body = body

    def signalled(self, number: int) -> None:
        """Hear a signal: the first asks, the second forces."""
        if self.stop.is_set():
            end(128 + number)
        self.stop.set()
        asyncio.get_running_loop().call_later(_LAST_SECONDS, end, 0)
        if not self.serving:
            self._body.cancel()


async def live(body: Callable[[Lifetime], Awaitable[None]]) -> None:
    """Run `body` to its end; it watches `Lifetime.stop` once it has set `serving`, and is cancelled before that."""
    begin: asyncio.Future[Lifetime] = asyncio.get_running_loop().create_future()

    async def run() -> None:
        await body(await begin)

    task = asyncio.create_task(run())
    lifetime = Lifetime(task)
    _listen(lifetime)
    begin.set_result(lifetime)
    try:
        await task
    except asyncio.CancelledError:
        if not lifetime.stop.is_set():
            raise


def _listen(lifetime: Lifetime) -> None:
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        if sys.platform == "win32":
            signal.signal(number, lambda got, _: loop.call_soon_threadsafe(lifetime.signalled, got))
        else:
            loop.add_signal_handler(number, lifetime.signalled, number)
