"""The SDK's server: streamable HTTP over our tools; no session lives in this process."""

import asyncio

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from api.mcp.tools import Tools
from api.rest.context import Context
from core.permissions import Principal

_INSTRUCTIONS = (
    "Actions with effects may need the consent of people. A call then waits; when it answers `awaiting approval`, ask "
    "again later with `call_status` or `approval_status`. Never tell anybody that something is done before it is."
)


class McpServer:
    """Runs from `start` to `aclose`; the door says who is behind each request."""

    def __init__(self, context: Context) -> None:
        """Take what the tools work with."""
        tools = Tools(context, _who_of)
        self._manager = StreamableHTTPSessionManager(
            Server(
                "assent",
                title="Assent",
                version="1",
                instructions=_INSTRUCTIONS,
                on_list_tools=tools.list_tools,
                on_call_tool=tools.call_tool,
            ),
            stateless=True,
            max_request_body_size=context.settings.body_bytes,
        )
        self._over = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve, in a task of its own: whoever ends it may be another task than who began it."""
        ready = asyncio.Event()
        self._serving = asyncio.create_task(self._serve(ready))
        begun = asyncio.create_task(ready.wait())
        await asyncio.wait([self._serving, begun], return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()

    async def _serve(self, ready: asyncio.Event) -> None:
        async with self._manager.run():
            ready.set()
            await self._over.wait()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, in whose state `who` is."""
        await self._manager.handle_request(scope, receive, send)

    async def aclose(self) -> None:
        """Stop serving."""
        self._over.set()
        if self._serving is not None:
            await self._serving


def _who_of(request: object) -> Principal:
    """Give who is behind a call: `_authenticate` has put them beside it."""
    if not isinstance(request, Request) or not isinstance(request.state.who, Principal):
        message = "nobody is behind this call"
        raise TypeError(message)
    return request.state.who
