"""Serves the ASGI application on a socket that is already ours, until told to stop."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from api.gateway.serving import uvicorn_options
from core.errors import Unavailable
from core.settings import Settings

_DRAIN_SECONDS = 3
_DEAD_MILLISECONDS = 30_000


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: `cli.serve.lifetime` hears them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_web(app: Any, settings: Settings, taken: socket.socket, stop: asyncio.Event) -> None:
    """Serve until `stop`, then let requests finish for a few seconds; raises Unavailable when the app cannot start."""
    _forget_dead_peers(taken)
    server = _Server(_config(app, settings))
    watch = asyncio.create_task(_stop_server(server, stop))
    try:
        await server.serve(sockets=[taken])
    except SystemExit as leaving:  # uvicorn's way to say that the application's start failed
        message = "The API could not start; the log has the reason."
        raise Unavailable(message) from leaving
    finally:
        watch.cancel()


def _forget_dead_peers(taken: socket.socket) -> None:
    """Let the system close connections whose peer no longer acknowledges, where it can."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        taken.setsockopt(socket.IPPROTO_TCP, option, _DEAD_MILLISECONDS)


async def _stop_server(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True


def _config(app: Any, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="on",
        ws="websockets-sansio",
        **uvicorn_options(settings),
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
