"""Imported connectors come and go while the server runs: this keeps the registry as SQL has them."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import structlog

from connectors.base import Connector
from connectors.manifest import BadManifest
from connectors.registry import Registry
from connectors.sources import Build
from core.store import imported
from core.store.database import Database
from core.tables.connect import Imported

PERIOD_SECONDS = 2.0
_log = structlog.get_logger()


class Importer:
    """Runs in every process that has a registry."""

    def __init__(self, database: Database, registry: Registry, kinds: Mapping[str, Build]) -> None:
        """Take whence and whereto; `kinds` says how each kind is built."""
        self._database = database
        self._registry = registry
        self._kinds = kinds
        self._mark: tuple[tuple[str, datetime], ...] | None = None

    async def refresh(self) -> None:
        """Put what SQL has into the registry, if it changed; what cannot be built is left out, and the log says why."""
        async with self._database.reading() as session:
            mark = await imported.mark(session)
            if mark == self._mark:
                return
            rows = await imported.ready(session)
        by_workspace: dict[str, list[Connector]] = defaultdict(list)
        for row in rows:
            with suppress(BadManifest):
                by_workspace[row.workspace_id].append(self._built(row))
        for workspace_id in self._registry.importers() | by_workspace.keys():
            self._put(workspace_id, by_workspace[workspace_id])
        self._mark = mark

    def _built(self, row: Imported) -> Connector:
        build = self._kinds.get(row.kind)
        if build is None:
            message = f"nobody here knows how to make a connector of kind {row.kind}"
            raise BadManifest(message)
        try:
            return build(row)
        except BadManifest as bad:
            _log.warning("an imported connector cannot be used", connector=row.name, why=bad.detail)
            raise

    def _put(self, workspace_id: str, connectors: list[Connector]) -> None:
        """Put them in together, or, where two do not go together, one by one until one does not fit."""
        fitting: list[Connector] = []
        for connector in connectors:
            try:
                self._registry.import_for(workspace_id, [*fitting, connector])
            except BadManifest as bad:
                _log.warning("an imported connector does not fit", connector=connector.manifest.id, why=bad.detail)
            else:
                fitting.append(connector)
        self._registry.import_for(workspace_id, fitting)

    @asynccontextmanager
    async def live(self) -> AsyncIterator[None]:
        """Have what is there at once, and keep it so within."""
        await self.refresh()
        stop = asyncio.Event()
        task = asyncio.create_task(self.run(stop))
        try:
            yield
        finally:
            stop.set()
            await task

    async def run(self, stop: asyncio.Event) -> None:
        """Look every two seconds, until stopped."""
        while not stop.is_set():
            try:
                await self.refresh()
            except Exception:  # noqa: BLE001 - upkeep outlives any single fault, and logs it
                _log.exception("imported connectors were not looked at; they will be")
            with suppress(TimeoutError):
                async with asyncio.timeout(PERIOD_SECONDS):
                    await stop.wait()
