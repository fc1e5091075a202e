"""One tool: what clients are told of it, and the function that it is."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp_types import Tool

from core.permissions import Principal

MOST_SECONDS = 300
"""The longest that one call waits; what it waits for goes on without it."""
DEFAULT_SECONDS = 60
_BEAT = 10.0


@dataclass(frozen=True)
class Called:
    """A call: by whom, with what, and the key under which the client calls the same again. `tell` hears of progress."""

    who: Principal
    arguments: dict[str, Any]
    key: str | None
    tell: ServerRequestContext[Any, Any]

    async def waiting(self, seconds: float, wait: Callable[[float], Awaitable["Waited"]], sentence: str) -> "Waited":
        """Wait in short stretches and tell the client between them, so that nobody takes the connection for dead."""
        began = time.monotonic()
        while True:
            passed = time.monotonic() - began
            found = await wait(min(_BEAT, max(0.0, seconds - passed)))
            if found.is_over or time.monotonic() - began >= seconds:
                return found
            await self.tell.session.report_progress(round(time.monotonic() - began, 1), None, sentence)
            await asyncio.sleep(0)


@dataclass(frozen=True)
class Waited:
    """What a wait came to: whether nothing more will happen, and what is told of it."""

    is_over: bool
    value: dict[str, Any]


@dataclass(frozen=True)
class OneTool:
    """What is listed, and what is called. `call` raises AssentError, and pydantic's ValidationError."""

    described: Tool
    call: Callable[[Called], Awaitable[dict[str, Any]]]
