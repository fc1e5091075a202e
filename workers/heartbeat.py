"""A heartbeat beside an activity's work: it tells Temporal that the work lives, and brings cancellation here.

Work that Temporal gave up meanwhile (a worker that stood still, say) ends quietly: somebody else does it by now.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

SECONDS = 0.5
_log = structlog.get_logger()


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Beat while the block runs. Raises, in place of the cancellation, what the SDK writes no traceback for."""
    beat = asyncio.create_task(_beat())
    try:
        yield
    except asyncio.CancelledError:
        if _is_given_up():
            _log.info("an attempt was given up by Temporal", activity=activity.info().activity_type)
            raise _given_up() from None
        raise
    finally:
        beat.cancel()
        with suppress(asyncio.CancelledError):
            await beat


def _is_given_up() -> bool:
    details = activity.cancellation_details()
    return details is not None and (details.not_found or details.timed_out)


def _given_up() -> ApplicationError:
    return ApplicationError("this attempt was given up", type="given_up", category=ApplicationErrorCategory.BENIGN)


async def _beat() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(SECONDS)
