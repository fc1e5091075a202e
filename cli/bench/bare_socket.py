"""A bare python-socketio server: what it is told in a room it tells the room. The floor of every socket event."""

import asyncio
import sys
from typing import Any

import socketio

from cli.bench.web import served

ROOM = "bench"


def build() -> Any:
    """Make the application."""
    server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")

    async def connect(sid: str, _environ: Any, _auth: Any = None) -> None:
        await server.enter_room(sid, ROOM)

    async def say(_sid: str, data: Any) -> None:
        await server.emit("said", data, room=ROOM)

    server.on("connect", connect)
    server.on("say", say)
    return socketio.ASGIApp(server)


async def _serve() -> None:
    async with served(build()) as address:
        print(address, flush=True)
        await asyncio.to_thread(sys.stdin.buffer.read)


def main() -> None:
    """Serve until stdin ends; the first line of stdout is the address."""
    asyncio.run(_serve())
