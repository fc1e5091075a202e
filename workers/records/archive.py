"""The archive: keeps the histories of closed workflows in SQL, past Temporal's retention."""

import asyncio
import json
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from core.store import upkeep
from core.store.database import Database
from workers.records.keeping import pause, survive

PERIOD_SECONDS = 30.0
AGE = timedelta(seconds=60)


class Archive:
    """Copies histories, a few at a time, once nobody waits for anything of them."""

    def __init__(self, database: Database, client: Client, age: timedelta = AGE) -> None:
        """Take both ends."""
        self._database = database
        self._client = client
        self._age = age

    async def sweep(self) -> int:
        """Keep what is closed and not kept yet; returns how many."""
        async with self._database.reading() as session:
            missing = await upkeep.unarchived(session, self._age)
        for workflow_id, turn_id in missing:
            await self._keep(workflow_id, turn_id)
        return len(missing)

    async def _keep(self, workflow_id: str, turn_id: str) -> None:
        run_id = ""
        body: dict[str, Any] = {"events": []}
        try:
            history = await self._client.get_workflow_handle(workflow_id).fetch_history()
            run_id, body = history.run_id, json.loads(history.to_json())
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        async with self._database.writing() as session:
            upkeep.keep_history(session, workflow_id, run_id, turn_id, body)

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep now and again, until stopped."""
        while not stop.is_set():
            await pause(stop, PERIOD_SECONDS)
            await survive("archive", self.sweep())
