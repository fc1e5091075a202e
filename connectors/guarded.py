"""The one way out by HTTP: a transport that looks where a name leads before it connects, and connects there.

No proxies or secrets of the environment, no cookies, no redirects of the client's own (`connectors/fetching.py` follows
them one by one), no compressed answers that nobody unpacks with a limit, no answer without an end.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpcore
import httpx

from connectors.addresses import PrivateHosts, is_public
from connectors.base import PermanentFailure

PORTS = frozenset({80, 443, 8080, 8443})
MAX_BYTES = 2_097_152
MAX_HEADERS = 200
MAX_HEADER_BYTES = 65_536
ENCODED = "assent_encoded"
"""The request extension of a caller that unpacks compressed answers itself, with a limit."""
_CONNECT_SECONDS = 10.0
_IDENTITY = {"", "identity"}

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Gives every address of a host; raises OSError when there is none."""


class AddressRefused(PermanentFailure):
    """The address must not be reached from here."""

    code, title = "address_refused", "Address refused"


class AnswerRefused(PermanentFailure):
    """The answer is larger than can be taken, or packed in a way that was not asked for."""

    code, title = "answer_refused", "Answer refused"


async def resolve_by_system(host: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class Guard(httpcore.AsyncNetworkBackend):
    """Opens connections: resolves once, refuses unless every address is allowed, connects to one of those."""

    def __init__(
        self, private: PrivateHosts, *, ports: frozenset[int] = PORTS, resolve: Resolve = resolve_by_system
    ) -> None:
        """Take what is allowed besides public addresses; any other port than `ports` must be named there."""
        self._private = private
        self._ports = ports
        self._resolve = resolve
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the name is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a checked address; `timeout` in seconds is for resolving and all attempts together."""
        seconds = min(timeout or _CONNECT_SECONDS, _CONNECT_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                addresses = await self.addresses(host, port)
                return await self._connect(addresses, port, seconds / len(addresses), local_address, socket_options)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} took too long to connect") from error

    async def addresses(self, host: str, port: int) -> list[str]:
        """Give the addresses of a host, all of them allowed; raises AddressRefused or httpcore.ConnectError."""
        named = self._private.names(host, port)
        if not named and port not in self._ports and not self._private.networks:
            raise AddressRefused(f"Port {port} is not one that pages are fetched from.")
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} has no address") from error
        if not found:
            raise httpcore.ConnectError(f"{host} has no address")
        if not named and not all(self._may_reach(one, port) for one in found):
            raise AddressRefused("The address leads to a private or special network, which calls must not reach.")
        return found

    def _may_reach(self, text: str, port: int) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return self._private.holds(address) or (port in self._ports and is_public(address))

    async def _connect(
        self, addresses: list[str], port: int, seconds: float, local: str | None, options: Iterable[Any] | None
    ) -> httpcore.AsyncNetworkStream:
        for address in addresses[:-1]:
            try:
                return await self._backend.connect_tcp(address, port, seconds, local, options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._backend.connect_tcp(addresses[-1], port, seconds, local, options)

    async def connect_unix_socket(self, *_args: Any, **_more: Any) -> httpcore.AsyncNetworkStream:
        """Refuse: no address leads to a local socket."""
        raise AddressRefused("Local sockets must not be reached.")

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore asks."""
        await self._backend.sleep(seconds)


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport on a guarded pool, with limits on what comes back."""

    def __init__(self, guard: Guard, *, tls: ssl.SSLContext | None = None, max_bytes: int = MAX_BYTES) -> None:
        """Take the guard; `tls` only where a private service has a certificate of its own."""
        tls = tls or httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=tls, trust_env=False)
        self._max_bytes = max_bytes
        # httpx has no argument for it; tests hold that every connection is opened by the guard.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls, max_connections=100, max_keepalive_connections=20, keepalive_expiry=15,
            network_backend=guard,
        )  # fmt: skip

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the answer's body is cut off with AnswerRefused when it has no end in sight."""
        if request.url.scheme not in {"http", "https"} or not request.url.host:
            raise AddressRefused("Only addresses that start with http:// or https:// can be reached.")
        response = await super().handle_async_request(request)
        try:
            self._check(request, response)
        except AnswerRefused:
            await response.aclose()
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - what an async transport gives
        response.stream = _Counted(response.stream, self._max_bytes)
        return response

    def _check(self, request: httpx.Request, response: httpx.Response) -> None:
        check_answer(
            request.method, response.headers.raw, self._max_bytes, unpacks=bool(request.extensions.get(ENCODED))
        )


def check_answer(method: str, headers: Sequence[tuple[bytes, bytes]], max_bytes: int, *, unpacks: bool = False) -> None:
    """See by an answer's headers that it can be taken; raises AnswerRefused. `unpacks`: the caller does it itself."""
    if len(headers) > MAX_HEADERS or sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
        raise AnswerRefused("The answer has more headers than can be taken.")
    if _said(headers, b"content-encoding") not in _IDENTITY and not unpacks:
        raise AnswerRefused("The answer is compressed, which was not asked for.")
    length = _said(headers, b"content-length")
    if method != "HEAD" and length.isascii() and length.isdigit() and int(length) > max_bytes:
        raise too_large(max_bytes)


def _said(headers: Sequence[tuple[bytes, bytes]], wanted: bytes) -> str:
    """Give a header's value; of one that comes more than once, all of them."""
    values = [value.decode("latin-1").strip().lower() for name, value in headers if name.lower() == wanted]
    return ", ".join(values)


class _Counted(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        taken = 0
        async for part in self._stream:
            taken += len(part)
            if taken > self._limit:
                raise too_large(self._limit)
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


def too_large(limit: int) -> AnswerRefused:
    """Make the refusal of an answer of more than `limit` bytes."""
    return AnswerRefused(f"The answer is larger than {limit} bytes, which is more than can be taken.")


def open_guarded(
    private_hosts: Iterable[str] = (),
    *,
    ports: frozenset[int] = PORTS,
    resolve: Resolve = resolve_by_system,
    tls: ssl.SSLContext | None = None,
    max_bytes: int = MAX_BYTES,
    seconds: float = 20.0,
    headers: Mapping[str, str] | None = None,
) -> httpx.AsyncClient:
    """Make a client on the guarded transport; whoever opens it closes it.

    `private_hosts` are `HOST:PORT` or networks that may be reached besides public addresses, `seconds` the longest wait
    for any one step: bound the whole by asyncio.timeout, or use `fetch`. Raises Misconfigured.
    """
    guard = Guard(PrivateHosts.parse(private_hosts), ports=ports, resolve=resolve)
    return httpx.AsyncClient(
        transport=GuardedTransport(guard, tls=tls, max_bytes=max_bytes),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS)),
        # What one person's call is told must not travel with another's.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"accept-encoding": "identity", "user-agent": "assent", **(headers or {})},
    )
