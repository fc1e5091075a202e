"""A talk with an MCP server: opened for one call or one look, closed with it, and its failures put into our words."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2
import structlog
from mcp import Client, StdioServerParameters
from mcp.client.session import ClientRequestContext, ClientSession
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    ElicitRequestParams,
    ElicitResult,
    Implementation,
    PaginatedRequestParams,
    Tool,
)
from pydantic import ValidationError

from connectors.base import ConnectorError, NeedsAuthorization, PermanentFailure, Throttled, Unreachable
from connectors.guarded import AnswerRefused, Resolve, resolve_by_system
from connectors.mcp.transport import Transport, guarded_client, guarded_transport
from core.mcp_entries import McpEntry
from core.text import clean_text

Given = TypeVar("Given")
_log = structlog.get_logger()

OPEN_SECONDS = 20.0
"""To connect, agree on a version and list what is offered."""
START_SECONDS = 45.0
"""The same, where a command has to be started first."""
_STEP_SECONDS = 300.0
_MAX_PAGES = 20
_MAX_TOOLS = 1_000
_REFUSED, _TOO_MANY, _BROKEN = 400, 429, 500
_SIGN_IN = frozenset({401, 403, 407})
_ANSWERS = frozenset({METHOD_NOT_FOUND, INVALID_PARAMS})
"""Errors with which a server says that it did not do it; any other may come after the fact."""
_ME = Implementation(name="assent", version="1")


@dataclass(frozen=True)
class Place:
    """Where a server is: an address with the headers and parameters to sign in, or a command of the operator's."""

    url: str | None = None
    command: McpEntry | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    private_hosts: tuple[str, ...] = ()
    resolve: Resolve = resolve_by_system


@dataclass
class Talk:
    """An open session. `asked_midway`: it asked something in the middle of a call, which cannot wait for people."""

    session: ClientSession
    title: str
    tools: list[Tool]
    asked_midway: bool = False
    sent: bool = False
    """Whether the call itself was sent: before that, nothing can have taken effect."""
    forget: Callable[[], None] = lambda: None

    def send(self) -> None:
        """Note that the call is sent now: what was refused before has nothing to do with it."""
        self.forget()
        self.sent = True


@dataclass
class _Line:
    """What connects to the server, and which refusal it gave last."""

    transport: Transport | None = None

    @property
    def status(self) -> int:
        refused = self.transport.refused if self.transport else None
        return refused.status_code if refused is not None else 0

    def forget(self) -> None:
        if self.transport is not None:
            self.transport.refused = None

    @property
    def retry_after(self) -> float | None:
        refused = self.transport.refused if self.transport else None
        said = refused.headers.get("retry-after", "") if refused is not None else ""
        return float(said) if said.isascii() and said.isdigit() and len(said) < 6 else None  # noqa: PLR2004 - digits


class Lost(Exception):
    """The call was sent, and no answer came; the sentence says why."""


async def talk(place: Place, do: Callable[[Talk], Awaitable[Given]]) -> Given:
    """Open a session, list its tools, do something with it. Raises a ConnectorError.

    What was sent and got no answer raises Lost: only who knows the call's effect can say what that means.
    """
    line = _Line()
    begun: list[Talk] = []
    done: list[Given] = []
    try:
        async with _session(place, line, begun) as opened:
            done.append(await do(opened))
    except (Exception, BaseExceptionGroup) as error:
        if not done:
            raise _as_failure(error, line, sent=any(one.sent for one in begun)) from error
        _log.info("a talk with an MCP server ended badly, after all was said", why=type(error).__name__)
    return done[0]


@asynccontextmanager
async def _session(place: Place, line: _Line, begun: list[Talk]) -> AsyncIterator[Talk]:
    async def declined(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context, params
        for one in begun:
            one.asked_midway = True
        return ElicitResult(action="decline")

    async with _streams(place, line) as streams:
        client = Client(streams, client_info=_ME, elicitation_callback=declined, cache=None)
        async with asyncio.timeout(START_SECONDS if place.command else OPEN_SECONDS) as opening:
            async with client:
                tools = await _tools(client.session)
                opening.reschedule(None)
                info = client.server_info
                one = Talk(client.session, (info.title or info.name) if info else "", tools, forget=line.forget)
                begun.append(one)
                yield one


@asynccontextmanager
async def _streams(place: Place, line: _Line) -> AsyncIterator[Any]:
    if place.command is not None:
        with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: ASYNC230, PTH123 - no file waits here
            yield stdio_client(_parameters(place.command), errlog=nowhere)
        return
    line.transport = guarded_transport(place.private_hosts, place.resolve)
    url = httpx2.URL(place.url or "")
    url = url.copy_merge_params(dict(place.query)) if place.query else url
    async with guarded_client(line.transport, place.headers, _STEP_SECONDS) as http:
        yield streamable_http_client(str(url), http_client=http)


def _parameters(entry: McpEntry) -> StdioServerParameters:
    env = {name: value.get_secret_value() for name, value in entry.env.items()}
    return StdioServerParameters(command=entry.command or "", args=list(entry.args), env=env or None)


async def _tools(session: ClientSession) -> list[Tool]:
    found: list[Tool] = []
    cursor: str | None = None
    for _ in range(_MAX_PAGES):
        page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
        found += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return found
        if len(found) > _MAX_TOOLS:
            break
    message = "The server offers more tools than can be taken."
    raise PermanentFailure(message)


def _as_failure(error: BaseException, line: _Line, *, sent: bool) -> Exception:
    """Put what went wrong into our words: a ConnectorError, or Lost where nobody knows what became of the call."""
    found = _inmost(error)
    if isinstance(found, AnswerRefused) and sent:
        return Lost(found.detail)
    if isinstance(found, ConnectorError | Lost):
        return found
    if line.status in _SIGN_IN:
        return NeedsAuthorization("The MCP server does not accept how it is signed in to.")
    if line.status == _TOO_MANY:
        return Throttled("The MCP server wants fewer calls for a while.", retry_after=line.retry_after)
    if isinstance(found, MCPError) and (_REFUSED <= line.status < _BROKEN or found.code in _ANSWERS):
        return PermanentFailure(f"The MCP server refuses it: {clean_text(found.message)[:500]}")
    why = _why(found)
    return Lost(why) if sent else Unreachable(f"The MCP server cannot be reached: {why}.")


def _inmost(error: BaseException) -> BaseException:
    """Give the first thing that went wrong: the SDK's groups hide it."""
    while isinstance(error, BaseExceptionGroup):
        ours = [one for one in error.exceptions if isinstance(one, ConnectorError | Lost)]
        error = (ours or error.exceptions)[0]
    return error


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return "it took too long"
    if isinstance(error, ValidationError):
        return "it answers otherwise than the protocol has it"
    if isinstance(error, MCPError):
        return clean_text(error.message)[:200].rstrip(".") or "it says nothing"
    if isinstance(error, OSError):
        return "its command cannot be run"
    return "the connection failed"
