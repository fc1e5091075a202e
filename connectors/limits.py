"""How many calls a service gets: so many at once, and so many in a span of time, counted in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

from connectors.base import TemporaryFailure
from connectors.manifest import ActionSpec, RateLimit

_MOST_KEYS = 10_000
_SLOT_SECONDS = 2.0


class Limits:
    """Keeps the turns of calls: whoever would wait too long is told when to come again."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Begin with nobody waiting."""
        self._clock = clock
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._free_at: dict[tuple[str, ...], float] = {}

    @asynccontextmanager
    async def turn(self, connector_id: str, action: ActionSpec, account: str, seconds: float) -> AsyncIterator[None]:
        """Wait at most `seconds` for a place among the action's calls and for its rate, else raise TemporaryFailure."""
        slot = self._slots.setdefault(f"{connector_id}.{action.name}", asyncio.Semaphore(action.max_concurrency))
        until = self._clock() + seconds
        try:
            async with asyncio.timeout(seconds if slot.locked() else None):
                await slot.acquire()
        except TimeoutError:
            raise TemporaryFailure("Too many such calls are under way.", retry_after=_SLOT_SECONDS) from None
        try:
            await self._rate(connector_id, action, account, until - self._clock())
            yield
        finally:
            slot.release()

    async def _rate(self, connector_id: str, action: ActionSpec, account: str, seconds: float) -> None:
        """Take a place in each of the action's rates; none is taken when one would make it wait too long."""
        now = self._clock()
        starts = {_key(connector_id, action, limit, account): limit for limit in action.rate_limits}
        wait = max((self._wait(key, limit, now) for key, limit in starts.items()), default=0.0)
        if wait > max(seconds, 0.0):
            raise TemporaryFailure("This was asked for more often than its service allows.", retry_after=wait)
        for key, limit in starts.items():
            self._free_at[key] = max(self._free_at.get(key, 0.0), now) + limit.window_s / limit.limit
        self._forget(now)
        if wait > 0:
            await asyncio.sleep(wait)

    def _wait(self, key: tuple[str, ...], limit: RateLimit, now: float) -> float:
        """Give the seconds until one more call fits: a bucket of `limit` drops that drains in `window_s`."""
        drop = limit.window_s / limit.limit
        return max(0.0, self._free_at.get(key, 0.0) - now - (limit.window_s - drop))

    def _forget(self, now: float) -> None:
        if len(self._free_at) > _MOST_KEYS:
            self._free_at = {key: free_at for key, free_at in self._free_at.items() if free_at > now}


def _key(connector_id: str, action: ActionSpec, limit: RateLimit, account: str) -> tuple[str, ...]:
    span = f"{limit.limit}/{limit.window_s}"
    whose = {"connector": (), "account": (action.name, account), "action": (action.name,)}[limit.scope]
    return (connector_id, limit.scope, span, *whose)
