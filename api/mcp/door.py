"""The ASGI application behind /mcp: knows who calls; the server itself is imported for the first of them.

Protocol: https://modelcontextprotocol.io/specification (revisions up to 2026-07-28, as the SDK speaks them).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.rest.context import Context
from core.errors import AssentError, NotAllowed, NotSignedIn
from core.permissions import Principal

if TYPE_CHECKING:
    from api.mcp.server import McpServer

PATH = "/mcp"


class McpDoor:
    """Knows who calls, and hands the call on. One for each api process."""

    def __init__(self, context: Context) -> None:
        """Take what the tools work with."""
        self._context = context
        self._server: McpServer | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def live(self) -> AsyncIterator[None]:
        """Serve within."""
        try:
            yield
        finally:
            if self._server is not None:
                await self._server.aclose()

    async def _open(self) -> "McpServer":
        """Give the server, running; the SDK takes a second of CPU to import, which not everybody needs."""
        async with self._opening:
            if self._server is None:
                module = await asyncio.to_thread(import_module, "api.mcp.server")
                server: McpServer = module.McpServer(self._context)
                await server.start()
                self._server = server
            return self._server

    def route(self) -> Route:
        """Give the route to add to the application."""
        return Route(PATH, self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request of a client that says who it is. There are no sessions to listen to or to end."""
        request = Request(scope, receive)
        if request.method != "POST":
            await Response(status_code=405, headers={"Allow": "POST"})(scope, receive, send)
            return
        try:
            self._check_origin(request)
            who = await self._authenticate(request)
        except AssentError as error:
            await _refusal(error)(scope, receive, send)
            return
        scope.setdefault("state", {})["who"] = who
        await (await self._open()).handle(scope, receive, send)

    def _check_origin(self, request: Request) -> None:
        """Let no page of another origin call, which a rebound name could send here."""
        origin = request.headers.get("origin")
        ours = {self._context.settings.public_url, f"{request.url.scheme}://{request.url.netloc}"}
        if origin is not None and origin not in {*ours, *self._context.settings.cors_origins}:
            message = "This page may not call here."
            raise NotAllowed(message)

    async def _authenticate(self, request: Request) -> Principal:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            message = "Send a token for programs: `Authorization: Bearer TOKEN`."
            raise NotSignedIn(message)
        return await self._context.tokens.authenticate(self._context.database, token.strip())


def _refusal(error: AssentError) -> Response:
    headers = {"WWW-Authenticate": 'Bearer realm="assent"'} if isinstance(error, NotSignedIn) else {}
    return Response(error.detail, error.status, headers, media_type="text/plain")
