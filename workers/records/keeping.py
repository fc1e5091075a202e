"""How upkeep runs: now and again until it is stopped, past any single fault."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from core.errors import AssentError

_log = structlog.get_logger()


async def keep_sweeping(name: str, sweep: Callable[[], Awaitable[object]], stop: asyncio.Event, seconds: float) -> None:
    """Sweep every so many seconds until `stop`."""
    while not stop.is_set():
        await survive(name, sweep())
        await pause(stop, seconds)


async def survive(name: str, work: Awaitable[object]) -> None:
    """Wait for a piece of upkeep; what goes wrong is logged under the name, and whoever calls goes on."""
    try:
        await work
    except AssentError as error:
        _log.warning("upkeep waits", of=name, code=error.code)
    except Exception:  # noqa: BLE001 - upkeep outlives any single fault, and logs it
        _log.exception("upkeep failed; it goes on", of=name)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but not past the stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
