"""The publisher: tells a file or an address where each audit chain ends, so that one cut off later shows."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import structlog

from core.audit import Head
from core.store import audit
from core.store.database import Database
from workers.records.keeping import pause

_TIMEOUT = httpx.Timeout(10)
_log = structlog.get_logger()


class Publisher:
    """Publishes what grew, now and again. Both targets may be set; each gets every head on its own account."""

    def __init__(self, database: Database, file: Path | None, url: str | None, seconds: float) -> None:
        """Take where heads come from and go to, and the seconds between two looks."""
        self._database = database
        self._file = file
        self._url = url
        self._seconds = seconds

    async def publish(self) -> int:
        """Publish the heads of the chains that grew; returns how many lines and posts that took."""
        sent = 0
        if self._file is not None:
            sent += await self._to(f"file:{self._file}", self._append)
        if self._url is not None:
            sent += await self._to(f"url:{self._url}", self._post)
        return sent

    async def _to(self, target: str, send: Callable[[list[Head]], Awaitable[None]]) -> int:
        async with self._database.reading() as session:
            heads = await audit.heads_to_publish(session, target)
        if not heads:
            return 0
        await send(heads)
        async with self._database.writing() as session:
            await audit.note_published(session, target, heads)
        return len(heads)

    async def _append(self, heads: list[Head]) -> None:
        await asyncio.to_thread(self._write, "".join(f"{head.model_dump_json()}\n" for head in heads))

    def _write(self, lines: str) -> None:
        """Append whole lines, on the disk before anybody believes that they are there."""
        if self._file is None:
            return
        handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, lines.encode())
            os.fsync(handle)
        finally:
            os.close(handle)

    async def _post(self, heads: list[Head]) -> None:
        body = {"type": "audit.heads", "heads": [head.model_dump(mode="json") for head in heads]}
        async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
            response = await client.post(self._url or "", json=body)
            response.raise_for_status()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until stopped; with nowhere to publish to, there is nothing to do."""
        while not stop.is_set() and (self._file or self._url):
            try:
                await self.publish()
            except (OSError, httpx.HTTPError) as error:
                _log.warning("the audit heads were not published; they will be", error=type(error).__name__)
            except Exception:  # noqa: BLE001 - upkeep outlives any single fault, and logs it
                _log.exception("the publisher failed; it goes on")
            await pause(stop, self._seconds)
