"""`assent mcp`: an MCP server on stdin and stdout that hands every call to the server, and outlives its restarts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
import mcp_types as types
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server as Protocol
from mcp.server.stdio import stdio_server

from cli.talk.server import Backoff, named_by_environment, open_server
from core.errors import Unavailable
from core.ids import new_id

_SECONDS = 330.0
_TRIES = 12
Found = TypeVar("Found")
_Context = ServerRequestContext[Any, Any]


class Proxy:
    """Each call is a connection of its own: nothing has to be kept while the server restarts."""

    def __init__(self, url: str, token: Callable[[], Awaitable[str]]) -> None:
        """Take the server's address, and what gives a token that holds."""
        self._url = url.rstrip("/")
        self._token = token

    async def list_tools(
        self, _context: _Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """Give the server's tools."""
        return await self._trying(lambda client: client.list_tools())

    async def call_tool(self, _context: _Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        """Call the server's tool; a call that was cut off is made again under the same key, so it is one call."""
        meta: Any = {**(params.meta or {}), "assent/key": (params.meta or {}).get("assent/key") or new_id("mcp")}
        return await self._trying(lambda client: client.call_tool(params.name, params.arguments, meta=meta))

    async def _trying(self, ask: Callable[[Client], Awaitable[Found]]) -> Found:
        pauses = Backoff()
        for left in reversed(range(_TRIES)):
            try:
                async with self._client() as client:
                    return await ask(client)
            except* (httpx2.TransportError, Unavailable, OSError):
                if not left:
                    message = "The server cannot be reached."
                    raise Unavailable(message) from None
            await asyncio.sleep(pauses.next())
        message = "unreachable"
        raise AssertionError(message)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Client]:
        headers = {"Authorization": f"Bearer {await self._token()}"}
        async with httpx2.AsyncClient(headers=headers, timeout=_SECONDS, trust_env=False) as http:
            async with Client(streamable_http_client(f"{self._url}/mcp", http_client=http)) as client:
                yield client


async def serve() -> None:
    """Serve until stdin ends, for the token of the environment, else for who signed in. Raises NotSignedIn, Invalid."""
    named = named_by_environment()
    if named is None:
        async with open_server() as server:
            await _serve(Proxy(server.credentials.url, server.token))
        return
    url, secret = named

    async def token() -> str:
        return secret

    await _serve(Proxy(url, token))


async def _serve(proxy: Proxy) -> None:
    protocol = Protocol("assent", title="Assent", on_list_tools=proxy.list_tools, on_call_tool=proxy.call_tool)
    async with stdio_server() as (read, write):
        await protocol.run(read, write, protocol.create_initialization_options())
