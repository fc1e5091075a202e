"""The tools that a client is offered, by what its token may do, and the one way through which all are called."""

import json
from collections.abc import Callable
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from api.mcp.actions import Actions
from api.mcp.asking import Asking
from api.mcp.tool import Called, OneTool
from api.rest.context import Context
from core.errors import AssentError
from core.permissions import Principal

_Context = ServerRequestContext[Any, Any]


class Tools:
    """Lists and calls."""

    def __init__(self, context: Context, who_of: Callable[[object], Principal]) -> None:
        """Take what tools work with; `who_of` gives who is behind a request."""
        self._actions = Actions(context)
        self._asking = Asking(context)
        self._who_of = who_of

    async def list_tools(
        self, context: _Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """Give what this client may call."""
        who = self._who_of(context.request)
        return types.ListToolsResult(tools=[one.described for one in await self._offered(who)])

    async def _offered(self, who: Principal) -> list[OneTool]:
        return [*self._asking.offered(who), *await self._actions.offered(who)]

    async def call_tool(self, context: _Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        """Call a tool; what goes wrong is told as its result, so that a model can read it."""
        who = self._who_of(context.request)
        found = next((one for one in await self._offered(who) if one.described.name == params.name), None)
        if found is None:
            message = "There is no such tool, or this token may not use it."
            raise MCPError(types.INVALID_PARAMS, message)
        try:
            value = await found.call(
                Called(who=who, arguments=params.arguments or {}, key=_key_of(params), tell=context)
            )
        except AssentError as error:
            return _answer({"error": error.code, "detail": error.detail, **error.more}, is_error=True)
        except ValidationError as error:
            return _answer({"error": "invalid", "detail": _said(error)}, is_error=True)
        return _answer(value)


def _key_of(params: types.CallToolRequestParams) -> str | None:
    """Give the key under which a client calls the same thing again, if it sends one."""
    key = (params.meta or {}).get("assent/key")
    return key if isinstance(key, str) and 0 < len(key) <= 64 else None  # noqa: PLR2004


def _answer(value: dict[str, Any], *, is_error: bool = False) -> types.CallToolResult:
    safe = json.loads(json.dumps(value, default=str))
    text = types.TextContent(type="text", text=json.dumps(safe, ensure_ascii=False))
    return types.CallToolResult(content=[text], structured_content=safe, is_error=is_error)


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'arguments'}: {first['msg']}"
