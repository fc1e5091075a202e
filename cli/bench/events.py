"""Events on their way to a socket, beside a bare Socket.IO server; and conversations created."""

import json
import time
from collections.abc import Mapping
from typing import Any

from cli.bench.floors import bare_socket_server
from cli.bench.person import Socket, socket_at
from cli.bench.rows import Result, row
from cli.bench.stage import Stage


async def measure_events(stage: Stage) -> Result:
    """Measure a durable event's way, from the request through its commit to a socket; and the bare server's echo."""
    conversation_id = await stage.person.conversation()
    async with socket_at(stage.product, stage.person, conversation_id) as socket:
        renamed = await _renamed(stage, socket, conversation_id)
        example = (await socket.until("conversation.updated")).body
    floor = await _floor(stage.sizes.events, example)
    return Result(rows=(row("socket event, from request to socket (rename)", renamed, floor=floor, goal="p99 < 50"),))


async def measure_conversations(stage: Stage) -> Result:
    """Measure how long it takes to begin a conversation."""
    times = []
    for _ in range(stage.sizes.conversations):
        began = time.perf_counter()
        await stage.person.conversation()
        times.append(time.perf_counter() - began)
    return Result(rows=(row("conversation created, REST", times, goal="p95 < 50"),))


async def _renamed(stage: Stage, socket: Socket, conversation_id: str) -> list[float]:
    times = []
    for number in range(stage.sizes.events):
        socket.forget()
        began = time.perf_counter()
        await stage.person.rename(conversation_id, f"Title {number}")
        times.append((await socket.until("conversation.updated")).at - began)
    return times


async def _floor(count: int, example: Mapping[str, Any]) -> list[float]:
    """Send what is as long as the product's event through the bare server."""
    body = {"text": "x" * len(json.dumps(dict(example)))}
    times = []
    async with bare_socket_server() as url:
        first, second = Socket(), Socket()
        await first.open(url, None)
        await second.open(url, None)
        for _ in range(count):
            second.forget()
            began = time.perf_counter()
            await first.emit("say", body)
            times.append((await second.until("said")).at - began)
        await first.close()
        await second.close()
    return times
