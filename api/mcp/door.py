"""The ASGI application behind /mcp: streamable HTTP with our tokens; no session lives in this process.

Protocol: https://modelcontextprotocol.io/specification (revisions up to 2026-07-28, as the SDK speaks them).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.mcp.tools import Tools
from api.rest.context import Context
from core.errors import AssentError, NotAllowed, NotSignedIn
from core.permissions import Principal

PATH = "/mcp"
_INSTRUCTIONS = (
    "Actions with effects may need the consent of people. A call then waits; when it answers `awaiting approval`, ask "
    "again later with `call_status` or `approval_status`. Never tell anybody that something is done before it is."
)


class McpDoor:
    """Knows who calls, and hands the call to the SDK. One for each api process."""

    def __init__(self, context: Context) -> None:
        """Take what the tools work with."""
        self._context = context
        self._tools = Tools(context, _who_of)
        self._manager = StreamableHTTPSessionManager(
            Server(
                "assent",
                title="Assent",
                version="1",
                instructions=_INSTRUCTIONS,
                on_list_tools=self._tools.list_tools,
                on_call_tool=self._tools.call_tool,
            ),
            stateless=True,
            max_request_body_size=context.settings.body_bytes,
        )

    @asynccontextmanager
    async def live(self) -> AsyncIterator[None]:
        """Serve within, in a task of its own: whoever ends it may be another task than who began it."""
        ready, over = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(self._serve(ready, over))
        await asyncio.wait([task, begun := asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        try:
            yield
        finally:
            over.set()
            await task

    async def _serve(self, ready: asyncio.Event, over: asyncio.Event) -> None:
        async with self._manager.run():
            ready.set()
            await over.wait()

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
        await self._manager.handle_request(scope, receive, send)

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


def _who_of(request: object) -> Principal:
    """Give who is behind a call: `_authenticate` has put them beside it."""
    if not isinstance(request, Request) or not isinstance(request.state.who, Principal):
        message = "nobody is behind this call"
        raise TypeError(message)
    return request.state.who


def _refusal(error: AssentError) -> Response:
    headers = {"WWW-Authenticate": 'Bearer realm="assent"'} if isinstance(error, NotSignedIn) else {}
    return Response(error.detail, error.status, headers, media_type="text/plain")
