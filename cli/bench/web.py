"""Serves a small ASGI application on a free port of loopback, inside this process."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn

_PAUSE = 0.01


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """Serve while the block runs; gives `http://127.0.0.1:PORT`."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve(sockets=[taken]))
        while not server.started:  # noqa: ASYNC110  uvicorn offers no event for it
            await asyncio.sleep(_PAUSE)
        try:
            yield f"http://127.0.0.1:{taken.getsockname()[1]}"
        finally:
            server.should_exit = True
            with suppress(asyncio.CancelledError):
                await serving
