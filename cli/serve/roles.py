"""Runs the roles that a command asks for, over one database, one Temporal client and one loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client

from cli.serve.lifetime import DRAIN_SECONDS, Lifetime
from cli.serve.temporal_remote import RemoteTemporal
from cli.serve.temporal_server import TemporalServer
from cli.serve.web import serve_web
from core import garbage
from core.keys import KeyRing
from core.rooms import LocalRooms
from core.settings import Settings
from core.store.database import Database, open_database
from core.temporal import TemporalState, connect

_PATIENCE_ABROAD = 30.0
_RESTS_AT_MOST = 30.0
"""Seconds for which the collector rests, however long the start takes."""


@dataclass(frozen=True)
class Ground:
    """What every role stands on; all of it is open while a command runs."""

    settings: Settings
    ring: KeyRing
    database: Database
    client: Client
    temporal: TemporalState
    rooms: LocalRooms


@asynccontextmanager
async def open_ground(settings: Settings, ring: KeyRing, child: TemporalServer | None) -> AsyncIterator[Ground]:
    """Open everything, with the running child or the server at the configured address."""
    async with AsyncExitStack() as stack:
        address = child.address if child else str(settings.temporal_address)
        key = settings.temporal_api_key
        client = await connect(
            address,
            settings.temporal_namespace,
            ring if settings.encrypt_history else None,
            within=_PATIENCE_ABROAD,
            tls=settings.temporal_tls,
            api_key=key.get_secret_value() if key else None,
        )
        temporal: TemporalState = child if child is not None else await stack.enter_async_context(_watched(client))
        database = await stack.enter_async_context(open_database(settings.database_url))
        yield Ground(settings, ring, database, client, temporal, LocalRooms())


@asynccontextmanager
async def _watched(client: Client) -> AsyncIterator[TemporalState]:
    async with RemoteTemporal(client) as remote:
        yield remote


async def run_api(ground: Ground, taken: socket.socket, stop: asyncio.Event) -> None:
    """Serve the doors until `stop`."""
    from api.app import build_app  # slow to import: only where it runs

    app = build_app(ground.settings, ground.database, ground.client, ground.rooms, ground.ring, ground.temporal)
    await serve_web(app, ground.settings, taken, stop)


async def run_workers(ground: Ground, queues: set[str] | None, lifetime: Lifetime) -> None:
    """Work on the queues (None = all) until the lifetime's `stop`."""
    from workers.main import run_workers as run  # slow to import: only where it runs

    stop, begun = lifetime.stop, lifetime.begun
    await run(ground.settings, ground.database, ground.client, ground.rooms, ground.ring, queues, stop, begun)


async def run_until_stopped(
    parts: list[Coroutine[Any, Any, None]],
    lifetime: Lifetime,
    begun: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Run all parts until the first signal, then give them some seconds to drain; one that fails ends all."""
    lifetime.serving = True
    async with asyncio.TaskGroup() as group:
        running = {group.create_task(part) for part in parts}
        stopped = group.create_task(lifetime.stop.wait())
        announcing = group.create_task(_announce(lifetime, begun))
        done, _ = await asyncio.wait({stopped, *running}, return_when=asyncio.FIRST_COMPLETED)
        announcing.cancel()
        stopped.cancel()
        lifetime.stop.set()
        await asyncio.wait(running - done or {stopped}, timeout=DRAIN_SECONDS)
        for task in running:
            task.cancel()


async def _announce(lifetime: Lifetime, begun: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.get_running_loop().call_later(_RESTS_AT_MOST, garbage.resume)
    await begun()
    garbage.resume()
    lifetime.begun.set()
