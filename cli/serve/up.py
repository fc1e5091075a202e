"""`assent up`: the whole product in one process, its Temporal server beside it."""

import asyncio
import socket
import sys
import webbrowser
from contextlib import AsyncExitStack, closing
from importlib import import_module

from cli.serve.lifetime import Lifetime, live
from cli.serve.lock import held_data_dir
from cli.serve.logs import set_up_logs
from cli.serve.network import check_network, near_address, take_address, web_address
from cli.serve.private import open_private
from cli.serve.ready import until_healthy
from cli.serve.roles import Ground, open_ground, run_api, run_until_stopped, run_workers
from cli.serve.temporal_server import TemporalServer
from core.keys import KeyRing, load_ring, setup_code
from core.settings import Settings


def up(settings: Settings, *, browser: bool) -> None:
    """Serve until a signal; raises InUse, Misconfigured or Unavailable before anything is served."""
    check_network(settings)
    open_private(settings.data_dir)
    with held_data_dir(settings.data_dir), closing(take_address(settings)) as taken:
        set_up_logs(settings.data_dir, settings.log_level)
        ring = load_ring(settings.data_dir)
        asyncio.run(live(lambda lifetime: _serve(settings, ring, taken, lifetime, browser=browser)))


async def _serve(settings: Settings, ring: KeyRing, taken: socket.socket, lifetime: Lifetime, *, browser: bool) -> None:
    async with AsyncExitStack() as stack:
        child = await _start(settings, stack)
        ground = await stack.enter_async_context(open_ground(settings, ring, child))
        progress("Starting the API and the workers ...")

        async def announce() -> None:
            await until_healthy(near_address(taken), progress)
            await _welcome(ground)
            print(f"Assent is ready at {web_address(settings.host, taken)}", flush=True)
            if browser:
                await asyncio.to_thread(webbrowser.open, near_address(taken))

        parts = [run_api(ground, taken, lifetime.stop), run_workers(ground, None, lifetime)]
        await run_until_stopped(parts, lifetime, announce)
        progress("Stopping ...")


async def _start(settings: Settings, stack: AsyncExitStack) -> TemporalServer | None:
    """Start Temporal, migrate and import what is slow, all at once."""
    child = _child(settings)
    async with asyncio.TaskGroup() as group:
        progress("Starting Temporal ..." if child else f"Using Temporal at {settings.temporal_address} ...")
        if child:
            group.create_task(stack.enter_async_context(child))
        group.create_task(asyncio.to_thread(_prepare, settings.database_url))
    return child


def _child(settings: Settings) -> TemporalServer | None:
    if settings.temporal_address:
        return None
    return TemporalServer(
        settings.data_dir,
        namespace=settings.temporal_namespace,
        retention_hours=settings.history_retention_hours,
        ui_port=settings.temporal_ui_port,
    )


def _prepare(database_url: str) -> None:
    """Do what takes a second of CPU while Temporal starts."""
    from core.migrations.runner import upgrade

    upgrade(database_url)
    import_module("api.app")
    import_module("workers.main")


async def _welcome(ground: Ground) -> None:
    """Tell the first visitor's code, as long as nobody is here."""
    from core.store.people import has_people  # slow to import

    async with ground.database.reading() as session:
        found = await has_people(session)
    if not found:
        progress(f"First visit? Your one-time code: {setup_code(ground.ring)}")


def progress(line: str) -> None:
    """Tell the person who started this what happens; stdout is for the one ready line."""
    print(line, file=sys.stderr, flush=True)
