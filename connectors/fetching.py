"""One request by the guarded transport, its redirects followed by hand, its answer read and unpacked within limits."""

import asyncio
import zlib
from collections.abc import Mapping
from urllib.parse import urljoin

import httpx
from pydantic import ConfigDict

from connectors.base import PermanentFailure, Unreachable
from connectors.guarded import ENCODED, MAX_BYTES, AnswerRefused, too_large
from core.values import Value

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REPEATING = frozenset({307, 308})
_HARMLESS = frozenset({"accept", "accept-encoding", "accept-language", "user-agent"})
"""The headers that may go on to another origin; all others may be secrets."""
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_MAX_URL = 4096


class Fetched(Value):
    """An answer: `url` is where it came from in the end, `body` unpacked."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    status: int
    url: str
    headers: httpx.Headers
    body: bytes
    redirects: int = 0


async def fetch(
    client: httpx.AsyncClient,
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    seconds: float = 20.0,
    max_bytes: int = MAX_BYTES,
) -> Fetched:
    """Ask for `url` by a client of `open_guarded`; `seconds` bound the whole, redirects included.

    At most 5 redirects are followed, each checked as the first address was; credentials and the body stay with the
    origin they were for. Raises Unreachable (no connection, no answer in time), PermanentFailure (refused).
    """
    try:
        async with asyncio.timeout(seconds):
            request = _request(client, method, url, dict(headers or {}), content)
            return await _follow(client, request, content, max_bytes)
    except (TimeoutError, httpx.TimeoutException) as error:
        raise Unreachable(f"{_host(url)} took too long.") from error
    except httpx.InvalidURL as error:  # the client looks at where a redirect leads, though it does not follow
        raise PermanentFailure("The address redirects to something that is none.") from error
    except (httpx.ConnectError, httpx.NetworkError) as error:
        raise Unreachable(f"{_host(url)} cannot be reached.") from error
    except httpx.HTTPError as error:
        raise Unreachable(f"{_host(url)} did not answer as a web server does.") from error


def _request(
    client: httpx.AsyncClient, method: str, url: str, headers: dict[str, str], content: bytes | None
) -> httpx.Request:
    wanted = {"accept-encoding": "identity, gzip;q=0.5", **headers}
    extensions = {ENCODED: True, "timeout": client.timeout.as_dict()}
    return client.build_request(method, parse_url(url), headers=wanted, content=content, extensions=extensions)


def parse_url(text: str) -> httpx.URL:
    """Read an address that may be fetched; raises PermanentFailure that says what is wrong with it."""
    if len(text) > _MAX_URL:
        raise PermanentFailure(f"The address is longer than {_MAX_URL} characters.")
    try:
        url = httpx.URL(text)
        port = url.port
    except (httpx.InvalidURL, ValueError) as error:
        raise PermanentFailure("This is not an address that can be fetched.") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise PermanentFailure("Only addresses that start with http:// or https:// can be fetched.")
    if url.userinfo:
        raise PermanentFailure("The address must not have a user name or a password in it.")
    if port == 0:
        raise PermanentFailure("The address has no port that can be reached.")
    return url


async def _follow(client: httpx.AsyncClient, request: httpx.Request, content: bytes | None, limit: int) -> Fetched:
    for redirects in range(MAX_REDIRECTS + 1):
        response = await client.send(request, stream=True)
        try:
            target = _target(response)
            if target is None:
                body = await _body(response, limit) if request.method != "HEAD" else b""
                return Fetched(
                    status=response.status_code, url=str(request.url), headers=response.headers, body=body,
                    redirects=redirects,
                )  # fmt: skip
        finally:
            await response.aclose()
        request = _next(client, request, response.status_code, target, content)
    raise PermanentFailure(f"The address redirects more than {MAX_REDIRECTS} times.")


def _target(response: httpx.Response) -> str | None:
    if response.status_code not in _REDIRECTS:
        return None
    location: str | None = response.headers.get("location")
    return location


def _next(
    client: httpx.AsyncClient, request: httpx.Request, status: int, location: str, content: bytes | None
) -> httpx.Request:
    url = _joined(str(request.url), location)
    repeats = status in _REPEATING or request.method in {"GET", "HEAD"}
    method = request.method if repeats else "GET"
    same = _origin(url) == _origin(request.url)
    if not same and repeats and content is not None:
        raise PermanentFailure("The address redirects what was to be sent to another host, where it must not go.")
    keeps = {
        name: value for name, value in request.headers.items()
        if name in _HARMLESS or (same and name not in {"host", "content-length", "transfer-encoding"})
    }  # fmt: skip
    return _request(client, method, str(url), keeps, content if repeats else None)


def _joined(here: str, location: str) -> httpx.URL:
    try:
        return parse_url(urljoin(here, location))
    except ValueError as error:
        raise PermanentFailure("The address redirects to something that is none.") from error


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


async def _body(response: httpx.Response, limit: int) -> bytes:
    unpack = _Unpacker(response.headers.get("content-encoding", ""), limit)
    async for part in response.aiter_raw():
        unpack.feed(part)
    return bytes(unpack.body)


class _Unpacker:
    """Unpacks an answer part by part; what it would unpack to is never held beyond the limit."""

    def __init__(self, encoding: str, limit: int) -> None:
        self.body = bytearray()
        self._limit = limit
        name = encoding.strip().lower()
        if name not in {"", "identity"} and name not in _WINDOWS:
            raise AnswerRefused("The answer is compressed in a way that is not taken here.")
        self._inflate = zlib.decompressobj(_WINDOWS[name]) if name in _WINDOWS else None

    def feed(self, part: bytes) -> None:
        if self._inflate is not None:
            try:
                part = self._inflate.decompress(part, self._limit + 1 - len(self.body))
            except zlib.error as error:
                raise AnswerRefused("The answer is compressed, and cannot be unpacked.") from error
        self.body += part
        if len(self.body) > self._limit:
            raise too_large(self._limit)


def _host(url: str) -> str:
    """Name the host for a sentence."""
    try:
        return httpx.URL(url).host[:100] or "The address"
    except (httpx.InvalidURL, ValueError):
        return "The address"
