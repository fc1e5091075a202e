"""The HTTP client of one model: its key goes to its own endpoint only, and nothing comes from the environment."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import TypeVar
from urllib.parse import urlsplit

import httpx2

from workers.llm.timing import Timeouts

MOST_BYTES = 32_000_000
CONNECTIONS = httpx2.Limits(max_connections=200, max_keepalive_connections=20)
# What else client libraries add stays here: other accounts' names, headers of the environment, this machine's facts.
_KEPT = frozenset({"host", "accept", "content-type", "content-length", "transfer-encoding", "anthropic-version"})
# No compressed answers: one could unpack to gigabytes.
_OURS = {"accept-encoding": "identity", "user-agent": "assent"}

Item = TypeVar("Item")
_opened: ContextVar["list[_Counted] | None"] = ContextVar("opened", default=None)


def open_client(base_url: str, key: Mapping[str, str], timeouts: Timeouts) -> httpx2.AsyncClient:
    """Make the client of an endpoint; `key` is the header that carries it. No proxies, no .netrc, no redirects."""
    home = _origin(base_url)

    async def guard(request: httpx2.Request) -> None:
        if _origin(str(request.url)) != home:
            message = "a model's client goes to its own endpoint only"
            raise httpx2.UnsupportedProtocol(message, request=request)
        kept = {name: value for name, value in request.headers.items() if name.lower() in _KEPT}
        request.headers = httpx2.Headers({**kept, **_OURS, **key})

    return httpx2.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(timeouts.total, connect=min(10.0, timeouts.first_token)),
        transport=_Bounded(httpx2.AsyncHTTPTransport(trust_env=False, limits=CONNECTIONS)),
        event_hooks={"request": [guard]},
    )


@asynccontextmanager
async def hanging_up(opening: AbstractAsyncContextManager[Item]) -> AsyncGenerator[Item]:
    """Enter a context, and close at its end what it left open: not every library hangs up when it is stopped."""
    answers: list[_Counted] = []
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_close, answers)
        token = _opened.set(answers)
        try:
            value = await stack.enter_async_context(opening)
        finally:
            _opened.reset(token)
        yield value


async def _close(answers: "list[_Counted]") -> None:
    for one in answers:
        await one.aclose()


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


class _Bounded(httpx2.AsyncBaseTransport):
    """Refuses compressed answers and endless ones."""

    def __init__(self, inner: httpx2.AsyncHTTPTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            message = "the answer is compressed, though that was not allowed"
            raise httpx2.DecodingError(message, request=request)
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = counted = _Counted(response.stream)
            answers = _opened.get()
            if answers is not None:
                answers.append(counted)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    """Passes bytes on, up to a limit."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MOST_BYTES
        async for chunk in self._inner:
            left -= len(chunk)
            if left < 0:
                message = "the answer is too long"
                raise httpx2.DecodingError(message)
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
