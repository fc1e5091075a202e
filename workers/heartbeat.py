"""A heartbeat beside an activity's work: it tells Temporal that the work lives, and brings cancellation here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from temporalio import activity

SECONDS = 0.5


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Beat while the block runs."""
    beat = asyncio.create_task(_beat())
    try:
        yield
    finally:
        beat.cancel()
        with suppress(asyncio.CancelledError):
            await beat


async def _beat() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(SECONDS)
