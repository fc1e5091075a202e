"""`assent api`, `assent worker`, `assent migrate`: the roles of the server, each in a process of its own."""

import asyncio
import functools
import socket
from contextlib import closing

from cli.serve.lifetime import Lifetime, live
from cli.serve.logs import set_up_logs
from cli.serve.network import check_network, near_address, take_address, web_address
from cli.serve.private import open_private
from cli.serve.ready import until_ready
from cli.serve.roles import open_ground, run_api, run_until_stopped, run_workers
from cli.serve.temporal_place import TemporalPlace
from cli.serve.up import progress
from core.errors import Misconfigured
from core.keys import load_ring
from core.settings import Settings


def api(settings: Settings) -> None:
    """Serve the doors only, until a signal."""
    check_network(settings)
    settings = with_temporal(settings)
    with closing(take_address(settings)) as taken:
        set_up_logs(settings.data_dir, settings.log_level, "api")
        asyncio.run(live(functools.partial(_serve_api, settings, taken)))


def worker(settings: Settings, queues: set[str] | None) -> None:
    """Work on some queues (None = all), until a signal."""
    _check_queues(queues or set())
    settings = with_temporal(settings)
    set_up_logs(settings.data_dir, settings.log_level, "worker")
    asyncio.run(live(functools.partial(_serve_worker, settings, queues)))


def _check_queues(queues: set[str]) -> None:
    from workers.main import QUEUES  # slow to import

    if unknown := sorted(queues - QUEUES):
        message = f"There is no task queue {', '.join(unknown)}. There are: {', '.join(sorted(QUEUES))}."
        raise Misconfigured(message)


def migrate(settings: Settings, down: str | None) -> None:
    """Bring the database's schema up to date, or down to a revision."""
    from core.migrations.runner import downgrade, upgrade

    if settings.database_url.startswith("sqlite"):
        open_private(settings.data_dir)
    if down is None:
        upgrade(settings.database_url)
    else:
        downgrade(settings.database_url, down)


def with_temporal(settings: Settings) -> Settings:
    """Return settings that name a Temporal server: theirs, or the child of the `up` that uses this data directory."""
    if settings.temporal_address:
        return settings
    ports = TemporalPlace(settings.data_dir).remembered()
    if ports is None:
        message = "Set ASSENT_TEMPORAL_ADDRESS, or pass the --data of a running `assent up`."
        raise Misconfigured(message)
    return settings.model_copy(update={"temporal_address": ports.address})


async def _serve_api(settings: Settings, taken: socket.socket, lifetime: Lifetime) -> None:
    async def announce() -> None:
        await until_ready(near_address(taken))
        print(f"Assent is ready at {web_address(settings.host, taken)}", flush=True)

    async with open_ground(settings, load_ring(settings.data_dir), None) as ground:
        await run_until_stopped([run_api(ground, taken, lifetime.stop)], lifetime, announce)


async def _serve_worker(settings: Settings, queues: set[str] | None, lifetime: Lifetime) -> None:
    async def announce() -> None:
        progress(f"Working on {', '.join(sorted(queues)) if queues else 'all queues'}.")

    async with open_ground(settings, load_ring(settings.data_dir), None) as ground:
        await run_until_stopped([run_workers(ground, queues, lifetime)], lifetime, announce)
