"""Watches a Temporal server that is not our child, so that health can tell how it is."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Literal, Self

from temporalio.client import Client
from temporalio.service import RPCError

_PAUSE = 2.0
_CALL_LIMIT = timedelta(seconds=2)


class RemoteTemporal:
    """Asks the server every 2 s; `state` is its last answer."""

    restarts = 0

    def __init__(self, client: Client, ui_url: str | None = None) -> None:
        """Keep a connected client."""
        self._client = client
        self._state: Literal["starting", "ready", "down"] = "starting"
        self.ui_url = ui_url

    @property
    def state(self) -> str:
        """`starting`, `ready` or `down`."""
        return self._state

    async def __aenter__(self) -> Self:
        """Ask once, then go on asking."""
        await self._ask()
        self._watch = asyncio.create_task(self._keep_asking())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop asking."""
        self._watch.cancel()
        with suppress(asyncio.CancelledError):
            await self._watch

    async def _keep_asking(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE)
            await self._ask()

    async def _ask(self) -> None:
        try:
            healthy = await self._client.service_client.check_health(timeout=_CALL_LIMIT)
        except RPCError:
            healthy = False
        self._state = "ready" if healthy else "down"
